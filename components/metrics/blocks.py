"""Kernels and distances of all pairs of pictures, a block of inner products at a time.

Products have the dtype of the features, float32 for those of networks. To lose little by that,
they are taken of features less a centre, which moves no distance, and of which the kernel is
given back what it lacks.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

BLOCK = 1024  # rows, and columns, in memory at once
# A squared distance of d dimensions is off by less than this times √d, in epsilons of its dtype
# and parts of both squared norms: more than was seen at 1 to 2,048 dimensions, also of rows that
# are multiples of one another, whose errors add up.
_ROUNDING = 4


class Block(NamedTuple):
    """Some rows of a set, in the dtype of its features."""

    features: np.ndarray  # less the centre, [R, d]
    squares: np.ndarray  # their squared norms, [R]
    shift: np.ndarray  # what each adds to the kernel's base, [R]


class Rows:
    """The features of a set, float32 or float64 [N, d], seen from a centre, [d].

    Attributes:
        uncertainty: Float64 [N]. The squared distance of two rows, each of a set, is off by less
            than the sum of what it says of both.
    """

    def __init__(self, features: np.ndarray, centre: np.ndarray) -> None:
        """Find what each row has of its own."""
        self._features = features
        self._centre = centre.astype(features.dtype)
        centre = self._centre.astype(np.float64)
        self._squares = np.empty(len(features))
        along = np.empty(len(features))
        for block in blocks_of(features):
            centred = features[block] - self._centre
            self._squares[block] = np.square(centred, dtype=np.float64).sum(axis=1)
            along[block] = features[block].astype(np.float64) @ centre
        d = features.shape[1]
        # Of both rows of a pair together: what x·y/d + 1 has beside the product from the centre.
        self._shift = (along - centre @ centre / 2) / d + 0.5
        self.uncertainty = _ROUNDING * d**0.5 * np.finfo(features.dtype).eps * self._squares

    def block(self, rows: slice) -> Block:
        """Take these rows."""
        dtype = self._features.dtype
        return Block(
            self._features[rows] - self._centre,
            self._squares[rows].astype(dtype),
            self._shift[rows].astype(dtype),
        )


def blocks_of(rows: np.ndarray) -> Iterator[slice]:
    """Cut rows into blocks."""
    for start in range(0, len(rows), BLOCK):
        yield slice(start, min(start + BLOCK, len(rows)))


def kernels_and_distances(left: Block, right: Block) -> tuple[np.ndarray, np.ndarray]:
    """Kernel of KID, (x·y/d + 1)³, and squared Euclidean distance of each pair, [R, C]."""
    products = left.features @ right.features.T
    base = products / products.dtype.type(left.features.shape[1])
    base += left.shift[:, np.newaxis]
    base += right.shift
    kernels = np.square(base)
    kernels *= base
    products *= -2
    products += left.squares[:, np.newaxis]
    products += right.squares
    return kernels, products


def pairs_where(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of what is true, in the order of rows; faster than `nonzero` for few."""
    return np.divmod(np.flatnonzero(mask), mask.shape[1])


def exact_squared_distances(
    left: np.ndarray, rows: np.ndarray, right: np.ndarray, columns: np.ndarray
) -> np.ndarray:
    """Squared distance of each pair of rows that are named: float64, as many as names."""
    found = np.empty(len(rows))
    for block in blocks_of(rows):
        pairs = left[rows[block]], right[columns[block]]
        differences = np.subtract(*pairs, dtype=np.float64)
        found[block] = np.einsum("ij,ij->i", differences, differences)
    return found
