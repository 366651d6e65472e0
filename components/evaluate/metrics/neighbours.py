"""Balls around pictures, by which four metrics say where a distribution has mass.

The ball of a picture reaches to its k-th nearest neighbour of its own set.
"""

from collections.abc import Iterator

import numpy as np

_CHUNK = 1000  # rows of the distance matrix in memory at once


def in_balls(centres: np.ndarray, points: np.ndarray, neighbours: int) -> Iterator[np.ndarray]:
    """Say which points lie in which balls, a chunk of balls at a time.

    Args:
        centres: Features of the pictures with a ball, float [N, d], N > `neighbours`.
        points: Features of the other set, float [M, d].
        neighbours: k.

    Yields:
        bool [≤ 1000, M], in the order of `centres`.
    """
    centres, points = np.asarray(centres, np.float64), np.asarray(points, np.float64)
    for start in range(0, len(centres), _CHUNK):
        rows = centres[start : start + _CHUNK]
        radii = _squared_radii(centres, start, len(rows), neighbours)
        yield squared_distances(rows, points) < radii[:, np.newaxis]


def _squared_radii(centres: np.ndarray, start: int, count: int, neighbours: int) -> np.ndarray:
    """Squared distance of some rows to their k-th nearest other row."""
    distances = squared_distances(centres[start : start + count], centres)
    distances[np.arange(count), np.arange(start, start + count)] = np.inf  # itself
    return np.partition(distances, neighbours - 1)[:, neighbours - 1]


def squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of rows, [N, d] and [M, d], as [N, M]."""
    squares = np.square(left).sum(axis=1)[:, np.newaxis] + np.square(right).sum(axis=1)
    return (squares - 2 * left @ right.T).clip(min=0)
