"""How good the samples of each class are, and whether they are of the class that was asked for.

Whether: the generator obeys where a rule that tells classes apart gives its samples the class
that they were asked of. The rule knows the training pictures alone: the nearest of the classes'
means (Snell et al. 2017, §2.3, https://arxiv.org/abs/1703.05175), each dimension of the
extractor's features divided by its standard deviation within classes. As a rule errs, the same
share of real held-out pictures stands beside. Shares are means over classes, so that a large
class does not hide a small one.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.evaluate.config import EvaluateConfig
from components.metrics.compared import hold_against
from components.metrics.drawing import Asked, describe, random_latents
from components.metrics.extractor import Extractor
from components.metrics.feature_set import FeatureSet
from components.metrics.kid import kid
from components.shared.classes import Classes
from components.shared.contracts import EVAL_SPLIT, TRAIN_SPLIT
from components.shared.records import RecordReader, read_labels, shard_paths

FEWEST = 50  # held-out pictures of a class for a KID, and samples of each class
_MOST_CLASSES = 40  # that are looked at, the largest ones: work and report stay bounded
_MOST_LEARNED = 2000  # training pictures that the rule learns from, evenly of the classes
_FEWEST_LEARNED = 5  # of each class, if it has them
_MOST_WEIGHT = 1000  # of a dimension, times that of the one that varies most
_NEIGHBOURS = 1  # whose distances KID does not use
_STREAM = 2  # of the seed; choosing and judging have others


def score_classes(
    records: Path,
    generator: keras.Model,
    held_out: np.ndarray,
    extractor: Extractor,
    classes: Classes,
    config: EvaluateConfig,
) -> dict[str, Any]:
    """Score samples of each of the largest classes.

    Args:
        records: Folder written by ingest.
        generator: Draws by class.
        held_out: Features of the first held-out pictures, [N, d].
        extractor: What made them.
        classes: Those of `records`.
        config: Settings of this step.

    Returns:
        As JSON: `obedience` of the samples and `real_obedience` of held-out pictures, None where
        there are none; `samples`, of each class; how many classes there are in `all`, and of each
        that was looked at, the largest first, `name`, `share` of the training, `real_images`,
        `kid` and `kid_interval` (None of fewer than `FEWEST` real ones), `obedience` and
        `real_obedience`; and a `sentence`.
    """
    shown = classes.largest(_MOST_CLASSES)
    rule = _Rule(_training_features(records, extractor, shown))
    labels = _labels(records, EVAL_SPLIT, len(held_out))
    each = max(FEWEST, config.samples // len(shown))
    latents = random_latents([config.seed, _STREAM], each, generator)
    rows: list[dict[str, Any]] = []
    for place, number in enumerate(shown):
        asked = Asked(latents, np.full(each, number, np.int32))
        drawn = describe(generator, asked, extractor)
        real = held_out[labels == number]
        value, interval = _kid(real, drawn)
        rows.append(
            {
                "name": classes.names[number],
                "share": float(classes.shares[number]),
                "real_images": len(real),
                "kid": value,
                "kid_interval": interval,
                "obedience": rule.share_of(place, drawn),
                "real_obedience": rule.share_of(place, real),
            }
        )
    found = {
        "all": len(classes.names),
        "samples": each,
        "obedience": _mean(row["obedience"] for row in rows),
        "real_obedience": _mean(row["real_obedience"] for row in rows),
        "classes": rows,
    }
    return {**found, "sentence": _sentence(found)}


class _Rule:
    """Gives features the nearest class."""

    def __init__(self, features: list[np.ndarray]) -> None:
        """Learn from features of each class, [N, d] with N > 0."""
        means = np.stack([one.mean(axis=0, dtype=np.float64) for one in features])
        within = np.concatenate([one - mean for one, mean in zip(features, means, strict=True)])
        spread = within.std(axis=0)
        # No dimension counts beyond measure, and all count alike where nothing varies.
        self._scale = 1 / np.maximum(spread, spread.max() / _MOST_WEIGHT or 1)
        self._means = means * self._scale

    def share_of(self, place: int, features: np.ndarray | None) -> float | None:
        """Share of [N, d] that are given the class at this place; None of none."""
        if features is None or not len(features):
            return None
        scaled = features * self._scale
        distances = np.square(self._means).sum(axis=1) - 2 * scaled @ self._means.T
        return float(np.mean(distances.argmin(axis=1) == place))


def _training_features(records: Path, extractor: Extractor, shown: list[int]) -> list[np.ndarray]:
    """Features of some training pictures of each class."""
    labels = _labels(records, TRAIN_SPLIT)
    most = max(_FEWEST_LEARNED, _MOST_LEARNED // len(shown))
    features = []
    with RecordReader(shard_paths(records, TRAIN_SPLIT)) as training:
        for number in shown:
            pictures = [training[int(one)] for one in np.flatnonzero(labels == number)[:most]]
            side = round((len(pictures[0]) / 3) ** 0.5)
            pixels = np.frombuffer(b"".join(pictures), np.uint8).reshape(-1, side, side, 3)
            features.append(extractor(pixels))
    return features


def _labels(records: Path, split: str, count: int | None = None) -> np.ndarray:
    return np.fromiter(itertools.islice(read_labels(shard_paths(records, split)), count), np.int32)


def _kid(real: np.ndarray, drawn: np.ndarray | None) -> tuple[float | None, float | None]:
    if drawn is None or len(real) < FEWEST:
        return None, None
    sets = [FeatureSet(features, _NEIGHBOURS) for features in (real, drawn)]
    value, interval = kid(hold_against(*sets))
    return value, interval


def _mean(shares: Iterator[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return sum(known) / len(known) if known else None


def _sentence(found: dict[str, Any]) -> str:
    ours, real = found["obedience"], found["real_obedience"]
    if ours is None:
        return "the pictures of a class are not finite numbers"
    looked_at = len(found["classes"])
    which = f"the {looked_at} largest of {found['all']:,} classes"
    of_real = f", as are {real:.0%} of real held-out ones" if real is not None else ""
    return (
        f"{ours:.0%} of the samples of {which if looked_at < found['all'] else 'a class'} look "
        f"most like pictures of it{of_real}"
    )
