"""Whether there are pictures enough to score with, which the manifest tells before any training."""

from collections.abc import Mapping

from components.evaluate.config import EvaluateConfig
from components.shared.contracts import EVAL_SPLIT, TRAIN_SPLIT
from components.shared.errors import DataRefused

FEWEST = 6  # of each split, that all scores can do with


def fewest_of_each(config: EvaluateConfig) -> int:
    """How many pictures each split must have."""
    return max(FEWEST, config.neighbours + 1)


def refuse_too_few(counts: Mapping[str, int], config: EvaluateConfig) -> None:
    """Raise DataRefused for fewer pictures than scores need, by the manifest's `counts`."""
    held_out, training = counts[EVAL_SPLIT], counts[TRAIN_SPLIT]
    fewest, least = fewest_of_each(config), min(held_out, training)
    if least >= fewest:
        return
    ways = []
    if least >= FEWEST:
        ways.append(f"lower evaluate.neighbours to {least - 1}")
    if held_out + training >= 2 * fewest:
        ways.append(f"{'raise' if held_out < training else 'lower'} ingest.eval_share")
    advice = f"{', '.join(ways)}, or add pictures" if ways else "add pictures"
    raise DataRefused(
        f"{held_out} pictures are held out and {training} to train on, but scores need {fewest} of "
        f"each (more than evaluate.neighbours (={config.neighbours}), and at least {FEWEST}): "
        f"{advice}"
    )
