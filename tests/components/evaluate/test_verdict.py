"""What is said of scores, and whether they are good enough."""

import pytest

from components.evaluate.config import EvaluateConfig
from components.evaluate.limits import meets_limits
from components.evaluate.verdict import standing

CONTROLS = {
    "floor": {"words": "real pictures", "kid": -0.0001},
    "blurred": {"words": "real pictures blurred by 1 px", "kid": 0.0882},
    "collapsed": {"words": "11 real pictures repeated", "kid": 0.0119},
}
CONFIG = EvaluateConfig(max_kid=0.2, min_coverage=0.2)


def scored(kid, coverage=0.2):
    return {"epoch": 7, "kid": kid, "kid_interval": 0.0081, "coverage": coverage}


def found(kid, coverage=0.2, closer=1):
    """What scores.json holds of it."""
    nearest = {"closer": closer, "samples": 64, "sentence": f"{closer} of 64 samples are nearer"}
    return {"best": scored(kid, coverage), "controls": CONTROLS, "nearest": nearest}


def held_against(floor, blurred, collapsed):
    sides = {"floor": floor, "blurred": blurred, "collapsed": collapsed}
    return {name: control | {"samples_are": sides[name]} for name, control in CONTROLS.items()}


@pytest.mark.parametrize(
    ("kid", "samples_are", "said"),
    [
        (
            0.1571, ("worse", "worse", "worse"),
            "KID 0.157 ± 0.008: worse than real pictures blurred by 1 px (0.088), "
            "11 real pictures repeated (0.012) and real pictures (0.000)",
        ),
        (
            0.0501, ("worse", "better", "worse"),
            "KID 0.050 ± 0.008: better than real pictures blurred by 1 px (0.088), "
            "worse than 11 real pictures repeated (0.012) and real pictures (0.000)",
        ),
        (
            0.0125, ("worse", "better", "alike"),
            "KID 0.013 ± 0.008: better than real pictures blurred by 1 px (0.088), "
            "within chance of 11 real pictures repeated (0.012), worse than real pictures (0.000)",
        ),
        (
            -0.0002, ("alike", "better", "better"),
            "KID 0.000 ± 0.008: better than real pictures blurred by 1 px (0.088) and "
            "11 real pictures repeated (0.012), within chance of real pictures (0.000)",
        ),
        (None, (None, None, None), "no KID: the pictures of epoch 7, the best, are not finite "
         "numbers"),
    ],
)  # fmt: skip
def test_one_line_says_where_the_samples_stand(kid, samples_are, said):
    assert standing(scored(kid), held_against(*samples_are)) == said


@pytest.mark.parametrize(
    ("max_kid", "kid", "coverage", "reason"),
    [
        (0.2, 0.2001, 0.2, "KID 0.2001 is above 0.2 (evaluate.max_kid)"),
        (0.2, 0.200003, 0.2, "KID 0.200003 is above 0.2 (evaluate.max_kid)"),
        (0.2, 0.2, 0.1999, "coverage 0.1999 is below 0.2 (evaluate.min_coverage)"),
        (0.2, None, None, "the pictures of epoch 7, the best, are not finite numbers"),
        (
            "blurred", 0.1571, 0.2,
            "KID 0.1571 is above 0.0882, that of real pictures blurred by 1 px "
            "(evaluate.max_kid=blurred)",
        ),
        (
            "collapsed", 0.0882, 0,
            "KID 0.0882 is above 0.0119, that of 11 real pictures repeated "
            "(evaluate.max_kid=collapsed); coverage 0 is below 0.2 (evaluate.min_coverage)",
        ),
        ("blurred", None, None, "the pictures of epoch 7, the best, are not finite numbers"),
    ],
)  # fmt: skip
def test_a_model_beyond_a_limit_is_not_good_enough(max_kid, kid, coverage, reason):
    config = CONFIG.model_copy(update={"max_kid": max_kid})
    assert meets_limits(found(kid, coverage), config) == (False, reason)


@pytest.mark.parametrize(
    ("max_kid", "kid", "min_coverage", "reason"),
    [
        (0.2, 0.2, 0.2, "KID 0.2 is at most 0.2; coverage 0.2 is at least 0.2"),
        ("blurred", 0.0882, 0, "KID 0.0882 is at most 0.0882, that of real pictures blurred by "
         "1 px"),
    ],
)  # fmt: skip
def test_a_model_at_the_limits_is(max_kid, kid, min_coverage, reason):
    config = EvaluateConfig(max_kid=max_kid, min_coverage=min_coverage)
    assert meets_limits(found(kid), config) == (True, reason)


@pytest.mark.parametrize(
    ("closer", "most", "good_enough", "reason"),
    [
        (64, 1.0, True, "KID 0.1 is at most 0.2"),
        (32, 0.5, True, "KID 0.1 is at most 0.2; 32 of 64 samples are nearer, at most 50%"),
        (
            33, 0.5, False,
            "33 of 64 samples are nearer, more than 50% (evaluate.max_memorised)",
        ),
        (1, 0.015, False, "1 of 64 samples are nearer, more than 1.5% (evaluate.max_memorised)"),
        (1, 0.0, False, "1 of 64 samples are nearer, more than 0% (evaluate.max_memorised)"),
    ],
)  # fmt: skip
def test_what_was_learned_by_heart_may_be_refused(closer, most, good_enough, reason):
    config = EvaluateConfig(max_kid=0.2, max_memorised=most)
    assert meets_limits(found(0.1, closer=closer), config) == (good_enough, reason)
