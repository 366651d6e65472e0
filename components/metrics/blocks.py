"""Kernels and distances of all pairs of pictures, a block of inner products at a time.

Products have the dtype of the features, float32 for those of networks. To lose little by that,
they are taken of features less a centre, which moves no distance, and of which the kernel is
given back what it lacks.
"""

from collections.abc import Iterator

import numpy as np

BLOCK = 1024  # rows, and columns, in memory at once
# A squared distance of d dimensions is off by less than this times √d, in epsilons of its dtype
# and parts of both squared norms: twice the most that was seen, at 8 to 2,048 dimensions.
_ROUNDING = 2


class Rows:
    """The features of a set, float [N, d], seen from a centre, [d]."""

    def __init__(self, features: np.ndarray, centre: np.ndarray) -> None:
        """Find what each row has of its own."""
        self.features = features
        self._centre = centre.astype(features.dtype)
        centre = self._centre.astype(np.float64)
        self.squares = np.empty(len(features))
        along = np.empty(len(features))
        for block in blocks_of(features):
            self.squares[block] = np.square(self[block], dtype=np.float64).sum(axis=1)
            along[block] = features[block].astype(np.float64) @ centre
        # Of both rows of a pair together: what x·y/d + 1 has beside the product from the centre.
        self._shift = (along - centre @ centre / 2) / features.shape[1] + 0.5

    def __getitem__(self, block: slice) -> np.ndarray:
        """These rows less the centre."""
        return self.features[block] - self._centre

    def shift(self, block: slice) -> np.ndarray:
        """What these rows add to the kernel's base."""
        return self._shift[block].astype(self.features.dtype)


def blocks_of(rows: np.ndarray) -> Iterator[slice]:
    """Cut rows into blocks."""
    for start in range(0, len(rows), BLOCK):
        yield slice(start, min(start + BLOCK, len(rows)))


def kernels_and_distances(
    left: Rows, rows: slice, right: Rows, columns: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel of KID, (x·y/d + 1)³, and squared Euclidean distance of each pair of a block."""
    products = left[rows] @ right[columns].T
    base = products / products.dtype.type(left.features.shape[1])
    base += left.shift(rows)[:, np.newaxis]
    base += right.shift(columns)
    kernels = np.square(base)
    kernels *= base
    products *= -2
    products += left.squares[rows, np.newaxis].astype(products.dtype)
    products += right.squares[columns].astype(products.dtype)
    return kernels, products


def uncertainty(left: Rows, rows: slice, right: Rows, columns: slice) -> np.ndarray:
    """How far from the truth each squared distance of a block may be."""
    part = _ROUNDING * left.features.shape[1] ** 0.5 * np.finfo(left.features.dtype).eps
    squares = left.squares[rows, np.newaxis] + right.squares[columns]
    return (part * squares).astype(left.features.dtype)


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
