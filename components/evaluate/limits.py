"""Whether a model is good enough to be published: the limits of the configuration."""

from collections.abc import Mapping
from typing import Any

from components.evaluate.config import EvaluateConfig


def kid_limit(controls: Mapping[str, Mapping[str, Any]], config: EvaluateConfig) -> float:
    """The highest KID that may be published: a number as configured, or that of a control."""
    limit = config.max_kid
    return controls[limit]["kid"] if isinstance(limit, str) else limit


def meets_limits(scores: Mapping[str, Any], config: EvaluateConfig) -> tuple[bool, str]:
    """Say whether the best snapshot is good enough to be published, and why, in one line.

    Args:
        scores: What `scores.json` holds: of the best and of the controls, None where they are not
            finite, and what is `nearest`.
        config: Settings of this step.
    """
    best, controls, nearest = scores["best"], scores["controls"], scores["nearest"]
    kid, coverage = best["kid"], best["coverage"]
    if kid is None or coverage is None:
        return False, not_finite(best)
    limit, setting = kid_limit(controls, config), "evaluate.max_kid"
    kid_words, limit_words = _told_apart(kid, limit)
    if isinstance(config.max_kid, str):
        limit_words += f", that of {controls[config.max_kid]['words']}"
        setting += f"={config.max_kid}"
    coverage_words, least_words = _told_apart(coverage, config.min_coverage)
    memorised_words = f"{100 * config.max_memorised:g}%"
    failures = []
    if kid > limit:
        failures.append(f"KID {kid_words} is above {limit_words} ({setting})")
    if coverage < config.min_coverage:
        failures.append(f"coverage {coverage_words} is below {least_words} (evaluate.min_coverage)")
    if nearest["closer"] > config.max_memorised * nearest["samples"]:
        failures.append(
            f"{nearest['sentence']}, more than {memorised_words} (evaluate.max_memorised)"
        )
    if failures:
        return False, "; ".join(failures)
    reason = f"KID {kid_words} is at most {limit_words}"
    if config.min_coverage:
        reason += f"; coverage {coverage_words} is at least {least_words}"
    if config.max_memorised < 1:
        reason += f"; {nearest['sentence']}, at most {memorised_words}"
    return True, reason


def _told_apart(value: float, limit: float) -> tuple[str, str]:
    """Both in as many digits as it takes to see that they differ, if they do."""
    for digits in range(4, 18):
        words = f"{value:.{digits}g}", f"{limit:.{digits}g}"
        if value == limit or words[0] != words[1]:
            break
    return words


def not_finite(best: Mapping[str, Any]) -> str:
    """What is said of a best snapshot without scores."""
    return f"the pictures of epoch {best['epoch']}, the best, are not finite numbers"
