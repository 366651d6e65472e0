"""Where the samples stand among the controls, in words."""

from collections.abc import Mapping
from typing import Any

from components.evaluate.controls import ALIKE, BETTER, WORSE
from components.evaluate.limits import not_finite


def standing(best: Mapping[str, Any], controls: Mapping[str, Mapping[str, Any]]) -> str:
    """Say in one line which controls the samples are better than, and which they are worse than.

    A control counts as better or worse only beyond chance; of each kind, the one of the
    highest KID comes first.

    Args:
        best: Scores of the best snapshot; its KID is None where the samples are not finite.
        controls: Name → scores of the control, its `words` and what the `samples_are` beside it.
    """
    if best["kid"] is None:
        return f"no KID: {not_finite(best)}"
    comparisons = []
    for samples_are, words in ((BETTER, "better than"), (ALIKE, "within chance of"),
                               (WORSE, "worse than")):  # fmt: skip
        found = [one for one in controls.values() if one["samples_are"] == samples_are]
        found.sort(key=lambda one: one["kid"], reverse=True)
        if found:
            names = [f"{one['words']} ({one['kid']:z.3f})" for one in found]
            comparisons.append(f"{words} {_listed(names)}")
    return f"KID {best['kid']:z.3f} ± {best['kid_interval']:.3f}: {', '.join(comparisons)}"


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
