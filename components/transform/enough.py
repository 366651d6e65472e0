"""Whether there are pictures enough to train on, which the manifest tells before any is read."""

from collections.abc import Mapping

from components.shared.contracts import TRAIN_SPLIT
from components.shared.errors import DataRefused
from components.transform.config import TransformConfig


def refuse_too_few(counts: Mapping[str, int], config: TransformConfig) -> None:
    """Raise DataRefused for fewer training pictures than asked for, by the manifest's `counts`."""
    count = counts[TRAIN_SPLIT]
    if count < config.min_images:
        raise DataRefused(
            f"{count} training pictures, but transform.min_images asks for {config.min_images} "
            "(two batches of train.batch_size, unless it is set): add pictures, or lower it where "
            "it is set, else train.batch_size"
        )
