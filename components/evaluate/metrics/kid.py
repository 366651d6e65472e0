"""Kernel inception distance: Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401."""

import numpy as np

_CHUNK = 1000  # rows of the kernel matrix in memory at once


def kid(real: np.ndarray, fake: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy, kernel (x·y/d + 1)³, in float64.

    Around 0 for two samples of one distribution, and so below 0 as often as above;
    it needs at least two rows on each side.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    return _mean_within(real) + _mean_within(fake) - 2 * _mean_kernel(real, fake)


def kernel(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The kernel of KID for rows of [N, d] and [M, d], float64 [N, M]."""
    return (left @ right.T / left.shape[1] + 1) ** 3


def _mean_within(rows: np.ndarray) -> float:
    """Mean kernel value over pairs of different rows."""
    count, dimensions = rows.shape
    with_itself = ((np.square(rows).sum(axis=1) / dimensions + 1) ** 3).sum()
    total = _mean_kernel(rows, rows) * count**2
    return float((total - with_itself) / (count * (count - 1)))


def _mean_kernel(left: np.ndarray, right: np.ndarray) -> float:
    total = 0.0
    for start in range(0, len(left), _CHUNK):
        total += float(kernel(left[start : start + _CHUNK], right).sum())
    return total / (len(left) * len(right))
