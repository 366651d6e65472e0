"""The training picture nearest to each sample: does the generator draw, or repeat?

Held-out pictures are the measure, as in Meehan et al. 2020, https://arxiv.org/abs/2004.05675:
a generator that has learned comes no closer to what it was trained on than they do.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.metrics.extractor import Extractor
from components.shared.contracts import TRAIN_SPLIT
from components.shared.records import RecordReader, shard_paths

_THUMBNAIL = 16  # pixels a side
_SHORT_LIST = 8  # training pictures a query, by thumbnail; of these the nearest by features
_CHUNK = 1000  # training pictures in memory at once


class Nearest(NamedTuple):
    """What is nearest to each sample, and what follows."""

    pictures: np.ndarray  # uint8 [K, S, S, 3]
    found: dict[str, Any]


def nearest_training_pictures(
    records: Path,
    extractor: Extractor,
    samples: tuple[np.ndarray, np.ndarray],
    held_out: tuple[np.ndarray, np.ndarray],
) -> Nearest:
    """Look for each sample, and for each held-out picture, among all training pictures.

    Args:
        records: Folder written by ingest.
        extractor: What describes pictures.
        samples: Pictures, uint8 [K, S, S, 3], and their features, [K, d].
        held_out: The same of held-out ones, [H, …].
    """
    queries, features = (np.concatenate(pair) for pair in zip(samples, held_out, strict=True))
    with RecordReader(shard_paths(records, TRAIN_SPLIT)) as training:
        short_lists = _short_lists(training, queries)
        candidates, places = np.unique(short_lists, return_inverse=True)
        pictures = _read(training, candidates, queries.shape[1:])
    offered = extractor(pictures)[places.reshape(short_lists.shape)]
    distances = np.linalg.norm(offered - features[:, np.newaxis], axis=2)
    count = len(samples[0])
    nearest = short_lists[np.arange(count), distances[:count].argmin(axis=1)]
    closest = distances.min(axis=1)
    return Nearest(
        pictures[np.searchsorted(candidates, nearest)], _judge(closest[:count], closest[count:])
    )


def _judge(samples: np.ndarray, held_out: np.ndarray) -> dict[str, Any]:
    closer = int((samples < held_out.min()).sum())
    sentence = (
        f"{closer} of {len(samples)} samples {'is' if closer == 1 else 'are'} nearer to training "
        f"than any of {len(held_out)} held-out ones"
    )
    return {
        "samples": len(samples), "held_out": len(held_out), "closer": closer,
        "median_distance": float(np.median(samples)),
        "held_out_median_distance": float(np.median(held_out)),
        "sentence": sentence,
    }  # fmt: skip


def _short_lists(training: RecordReader, queries: np.ndarray) -> np.ndarray:
    """Numbers of the training pictures of the most similar thumbnails, int [Q, ≤ 8]."""
    query_thumbnails = _thumbnails(queries)
    best = np.empty((len(queries), 0), int)
    best_distances = np.empty((len(queries), 0))
    for start in range(0, len(training), _CHUNK):
        numbers = np.arange(start, min(start + _CHUNK, len(training)))
        thumbnails = _thumbnails(_read(training, numbers, queries.shape[1:]))
        distances = _squared_distances(query_thumbnails, thumbnails)
        best_distances = np.concatenate([best_distances, distances], axis=1)
        best = np.concatenate([best, np.broadcast_to(numbers, distances.shape)], axis=1)
        kept = np.argsort(best_distances, axis=1, kind="stable")[:, :_SHORT_LIST]
        best, best_distances = (np.take_along_axis(one, kept, 1) for one in (best, best_distances))
    return best


def _read(training: RecordReader, numbers: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    pixels = b"".join(training[int(number)] for number in numbers)
    return np.frombuffer(pixels, np.uint8).reshape(-1, *shape)


def _thumbnails(pictures: np.ndarray) -> np.ndarray:
    """Means over squares of pixels, some 16 a side, float64 [N, cells²·3]."""
    count, side = pictures.shape[:2]
    cell = max(1, side // _THUMBNAIL)
    cells = side // cell
    cut = pictures[:, : cells * cell, : cells * cell]
    means = cut.reshape(count, cells, cell, cells, cell, 3).mean(axis=(2, 4))
    return means.reshape(count, -1)


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of rows, [N, d] and [M, d], as [N, M]."""
    squares = np.square(left).sum(axis=1)[:, np.newaxis] + np.square(right).sum(axis=1)
    return (squares - 2 * left @ right.T).clip(min=0)
