"""What the scores come to, in words: where the samples stand, and whether they may be published."""

from collections.abc import Mapping
from typing import Any

from components.evaluate.config import EvaluateConfig
from components.evaluate.controls import ALIKE, BETTER, WORSE

_Controls = Mapping[str, Mapping[str, Any]]  # as scores.json has them


def standing(best: Mapping[str, Any], controls: _Controls) -> str:
    """Say in one line which controls the samples are better than, and which they are worse than.

    A control counts as better or worse only beyond chance; of each kind, the one of the
    highest KID comes first.

    Args:
        best: Scores of the best snapshot; its KID is None where the samples are not finite.
        controls: Name → scores of the control, its `words` and what the `samples_are` beside it.
    """
    if best["kid"] is None:
        return f"no KID: {_not_finite(best)}"
    comparisons = []
    for samples_are, words in ((BETTER, "better than"), (ALIKE, "within chance of"),
                               (WORSE, "worse than")):  # fmt: skip
        found = [one for one in controls.values() if one["samples_are"] == samples_are]
        found.sort(key=lambda one: one["kid"], reverse=True)
        if found:
            names = [f"{one['words']} ({one['kid']:z.3f})" for one in found]
            comparisons.append(f"{words} {_listed(names)}")
    return f"KID {best['kid']:z.3f} ± {best['kid_interval']:.3f}: {', '.join(comparisons)}"


def kid_limit(controls: _Controls, config: EvaluateConfig) -> float:
    """The highest KID that may be published: a number as configured, or that of a control."""
    limit = config.max_kid
    return controls[limit]["kid"] if isinstance(limit, str) else limit


def judge(best: Mapping[str, Any], controls: _Controls, config: EvaluateConfig) -> tuple[bool, str]:
    """Say whether the best snapshot may be published, and why, in one line.

    Args:
        best: Its epoch and scores, None where they are not finite.
        controls: Name → scores of the control, and its `words`.
        config: Settings of this step.
    """
    kid, coverage = best["kid"], best["coverage"]
    if kid is None or coverage is None:
        return False, _not_finite(best)
    limit, setting = kid_limit(controls, config), "evaluate.max_kid"
    limit_words = f"{limit:g}"
    if isinstance(config.max_kid, str):
        limit_words = f"{limit:.4g}, that of {controls[config.max_kid]['words']}"
        setting += f"={config.max_kid}"
    failures = []
    if kid > limit:
        failures.append(f"KID {kid:.4g} is above {limit_words} ({setting})")
    if coverage < config.min_coverage:
        failures.append(
            f"coverage {coverage:.4g} is below {config.min_coverage:g} (evaluate.min_coverage)"
        )
    if failures:
        return False, "; ".join(failures)
    reason = f"KID {kid:.4g} is at most {limit_words}"
    if config.min_coverage:
        reason += f"; coverage {coverage:.4g} is at least {config.min_coverage:g}"
    return True, reason


def _not_finite(best: Mapping[str, Any]) -> str:
    return f"the pictures of epoch {best['epoch']}, the best, are not finite numbers"


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
