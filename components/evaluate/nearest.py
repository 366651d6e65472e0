"""The training picture nearest to each sample: does the generator draw, or repeat?

Held-out pictures are the measure, as in Meehan et al. 2020, https://arxiv.org/abs/2004.05675:
a generator that has learned comes no closer to what it was trained on than they do.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from components.evaluate.extractors.extractor import Extractor
from components.evaluate.metrics.neighbours import squared_distances
from components.shared.contracts import TRAIN_SPLIT
from components.shared.records import read_images, shard_paths

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
    short_lists = _short_lists(records, queries)
    candidates, places = np.unique(
        short_lists.reshape(-1, *queries.shape[1:]), axis=0, return_inverse=True
    )
    offered = extractor(candidates)[places.reshape(short_lists.shape[:2])]
    distances = np.linalg.norm(offered - features[:, np.newaxis], axis=2)
    nearest = distances.argmin(axis=1)
    count = len(samples[0])
    pictures = short_lists[np.arange(count), nearest[:count]]
    closest = distances.min(axis=1)
    return Nearest(pictures, _judge(closest[:count], closest[count:]))


def _judge(samples: np.ndarray, held_out: np.ndarray) -> dict[str, Any]:
    closer = int((samples < held_out.min()).sum())
    sentence = (
        f"{closer or 'none'} of {len(samples)} samples {'are' if closer > 1 else 'is'} nearer to "
        "training than any held-out picture"
    )
    return {
        "samples": len(samples), "held_out": len(held_out), "closer": closer,
        "median_distance": float(np.median(samples)),
        "held_out_median_distance": float(np.median(held_out)),
        "sentence": sentence,
    }  # fmt: skip


def _short_lists(records: Path, queries: np.ndarray) -> np.ndarray:
    """The training pictures of the most similar thumbnails, uint8 [Q, ≤ 8, S, S, 3]."""
    query_thumbnails = _thumbnails(queries)
    best = np.empty((len(queries), 0, *queries.shape[1:]), np.uint8)
    best_distances = np.empty((len(queries), 0))
    for pictures in _training_pictures(records, queries.shape[1:]):
        thumbnails = _thumbnails(pictures)
        distances = squared_distances(query_thumbnails, thumbnails)
        chosen = np.argsort(distances, axis=1, kind="stable")[:, :_SHORT_LIST]
        all_distances = np.concatenate(
            [best_distances, np.take_along_axis(distances, chosen, axis=1)], axis=1
        )
        kept = np.argsort(all_distances, axis=1, kind="stable")[:, :_SHORT_LIST]
        rows = np.arange(len(queries))[:, np.newaxis]
        best = np.concatenate([best, pictures[chosen]], axis=1)[rows, kept]
        best_distances = all_distances[rows, kept]
    return best


def _training_pictures(records: Path, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    images = read_images(shard_paths(records, TRAIN_SPLIT))
    while chunk := list(itertools.islice(images, _CHUNK)):
        yield np.frombuffer(b"".join(chunk), np.uint8).reshape(-1, *shape)


def _thumbnails(pictures: np.ndarray) -> np.ndarray:
    """Means over squares of pixels, float64 [N, ≤ 16·16·3]."""
    count, side = pictures.shape[:2]
    cell = max(1, side // _THUMBNAIL)
    cells = side // cell
    cut = pictures[:, : cells * cell, : cells * cell]
    means = cut.reshape(count, cells, cell, cells, cell, 3).mean(axis=(2, 4))
    return means.reshape(count, -1)
