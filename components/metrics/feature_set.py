"""Features of one set of pictures, with what scores need of that set alone."""

import functools
from typing import NamedTuple

import numpy as np

from components.metrics.blocks import (
    Rows,
    blocks_of,
    exact_squared_distances,
    kernels_and_distances,
    pairs_where,
)
from components.metrics.gaussians import Gaussians, fit_gaussians

# Neighbours beyond the k-th which rounding may have put behind it, before all is done in float64.
_SPARE = 8


class Within(NamedTuple):
    """What the pairs within a set come to, for each of its pictures."""

    kernel_sums: np.ndarray  # of the kernel with every other picture, float64 [N]
    squared_radii: np.ndarray  # squared distance to the k-th nearest other one, float64 [N]


class FeatureSet:
    """Features, float32 or float64 [N, d], and what belongs to them alone."""

    def __init__(self, features: np.ndarray, neighbours: int, within: Within | None = None) -> None:
        """Walk over all pairs, unless what they come to is known from before.

        Args:
            features: Float32 or float64 [N, d], finite, N > `neighbours`.
            neighbours: k, of the balls.
            within: Of the same features and k.
        """
        self.features, self.neighbours = features, neighbours
        self.within = within or _walk(features, neighbours)

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.features)

    @functools.cached_property
    def gaussians(self) -> Gaussians:
        """Fitted to the set and to its halves; as large as three pictures a dimension."""
        return fit_gaussians(self.features)


def _walk(features: np.ndarray, neighbours: int) -> Within:
    rows = Rows(features, features.mean(axis=0, dtype=np.float64))
    sums = np.zeros(len(features))
    nearest = _Nearest(len(features), min(neighbours + _SPARE, len(features) - 1), features.dtype)
    blocks = [*blocks_of(features)]
    for index, left in enumerate(blocks):
        block = rows.block(left)
        for right in blocks[index:]:  # those before have met it
            kernels, distances = kernels_and_distances(block, rows.block(right))
            if left == right:
                np.fill_diagonal(kernels, 0)
                np.fill_diagonal(distances, np.inf)
            else:
                sums[right] += kernels.sum(axis=0, dtype=np.float64)
                nearest.take(right, distances.T, left.start)
            sums[left] += kernels.sum(axis=1, dtype=np.float64)
            nearest.take(left, distances, right.start)
    squared_radii, is_decided = nearest.squared_radii(features, rows.uncertainty, neighbours)
    if not is_decided and features.dtype != np.float64:  # as in a set of a few tight clusters
        return _walk(features.astype(np.float64), neighbours)
    return Within(sums, squared_radii)


class _Nearest:
    """The nearest others that were seen of each picture, with their rounded distances."""

    def __init__(self, count: int, kept: int, dtype: np.dtype) -> None:
        self._distances = np.full((count, kept), np.inf, dtype)
        self._numbers = np.zeros((count, kept), np.int64)

    def take(self, rows: slice, distances: np.ndarray, start: int) -> None:
        """Look at the distances, [R, C], of some rows to those that begin at `start`."""
        kept = self._distances.shape[1]
        farthest = self._distances[rows].max(axis=1)
        if np.isinf(farthest).any():
            offered = _smallest(distances, kept)
            distances = np.take_along_axis(distances, offered, axis=1)
        else:
            distances, offered = _nearer(distances, farthest)
        both = np.concatenate([self._distances[rows], distances], axis=1)
        numbers = np.concatenate([self._numbers[rows], offered + start], axis=1)
        chosen = _smallest(both, kept)
        self._distances[rows] = np.take_along_axis(both, chosen, axis=1)
        self._numbers[rows] = np.take_along_axis(numbers, chosen, axis=1)

    def squared_radii(
        self, features: np.ndarray, uncertainty: np.ndarray, neighbours: int
    ) -> tuple[np.ndarray, bool]:
        """The `neighbours`-th smallest of the exact distances, float64 [N].

        Exact ones are worked out where rounded ones do not tell which that is.

        Returns:
            The distances, and whether none that was not kept can be smaller.
        """
        rounded = np.partition(self._distances, neighbours - 1, axis=1)[:, neighbours - 1]
        off = self._distances.astype(np.float64) - rounded[:, np.newaxis]
        unsure = uncertainty[:, np.newaxis] + uncertainty[self._numbers]
        most = 2 * unsure.max(axis=1)
        i, place = pairs_where(np.abs(off) <= most[:, np.newaxis])
        exact = np.copysign(np.inf, off)
        exact[i, place] = exact_squared_distances(features, i, features, self._numbers[i, place])
        found = np.partition(exact, neighbours - 1, axis=1)[:, neighbours - 1]
        keeps_all = self._distances.shape[1] == len(features) - 1
        return found, keeps_all or not np.any((off.max(axis=1) <= most) & (found > 0))


def _smallest(values: np.ndarray, count: int) -> np.ndarray:
    """Places of the smallest values of each row, [R, ≤ count], in no order."""
    if values.shape[1] <= count:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    return np.argpartition(values, count - 1, axis=1)[:, :count]


def _nearer(distances: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances of each row below its limit, and their places; [R, the most of a row].

    Rows with fewer are filled up with infinity.
    """
    i, j = pairs_where(distances < limits[:, np.newaxis])
    counts = np.bincount(i, minlength=len(limits))
    starts = np.cumsum(counts) - counts
    shape = len(limits), counts.max()
    found, places = np.full(shape, np.inf, distances.dtype), np.zeros(shape, np.int64)
    order = np.arange(len(i)) - starts[i]
    found[i, order], places[i, order] = distances[i, j], j
    return found, places
