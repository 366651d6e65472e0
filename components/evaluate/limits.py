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
    if nearest["closer"] > config.max_memorised * nearest["samples"]:
        failures.append(
            f"{nearest['sentence']}, more than {config.max_memorised:.0%} (evaluate.max_memorised)"
        )
    if failures:
        return False, "; ".join(failures)
    reason = f"KID {kid:.4g} is at most {limit_words}"
    if config.min_coverage:
        reason += f"; coverage {coverage:.4g} is at least {config.min_coverage:g}"
    if config.max_memorised < 1:
        reason += f"; {nearest['sentence']}, at most {config.max_memorised:.0%}"
    return True, reason


def not_finite(best: Mapping[str, Any]) -> str:
    """What is said of a best snapshot without scores."""
    return f"the pictures of epoch {best['epoch']}, the best, are not finite numbers"
