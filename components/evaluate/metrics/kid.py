"""Kernel inception distance: Bińkowski et al. 2018, §4, https://arxiv.org/abs/1801.01401.

Intervals are the jackknife's (Efron and Stein 1981, https://doi.org/10.1214/aos/1176345462):
each picture is left out once, which here costs no more than sums of rows. Its variance is
too large rather than too small, so the interval is not too narrow.
"""

from typing import NamedTuple

import numpy as np

_CHUNK = 1000  # rows of the kernel matrix in memory at once
_STANDARD_ERRORS = 1.96  # to each side, of a 95 % interval


class Kid(NamedTuple):
    """An estimate, and how far chance could have moved it."""

    value: float
    interval: float  # half the width of the 95 % confidence interval


class _Parts(NamedTuple):
    """The estimate, and what it would be without each of the pictures."""

    value: float
    without_real: np.ndarray  # [N]
    without_fake: np.ndarray  # [M]


def kid(real: np.ndarray, fake: np.ndarray) -> Kid:
    """Unbiased squared maximum mean discrepancy, kernel (x·y/d + 1)³, in float64.

    Around 0 for two samples of one distribution, and so below 0 as often as above.

    Args:
        real: Features, float [N, d], N ≥ 3.
        fake: Features, float [M, d], M ≥ 3.
    """
    parts = _jackknife(real, fake)
    return Kid(parts.value, _interval(parts.without_real, parts.without_fake))


def kid_difference(real: np.ndarray, first: np.ndarray, second: np.ndarray) -> Kid:
    """How much the KID of one set of fakes, [M, d], is above that of another, [K, d].

    The interval is that of the difference: what chance does to the real pictures it does
    to both, and does not count. Nor does what it does to the latents, where there are as
    many fakes in both, which then are taken for pairs; pairs by accident do no harm.
    """
    left, right = _jackknife(real, first), _jackknife(real, second)
    without_fake = [left.without_fake, right.without_fake]
    if len(first) == len(second):
        without_fake = [left.without_fake - right.without_fake]
    interval = _interval(left.without_real - right.without_real, *without_fake)
    return Kid(left.value - right.value, interval)


def kernel(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The kernel of KID for rows of [N, d] and [M, d], float64 [N, M]."""
    return (left @ right.T / left.shape[1] + 1) ** 3


def _jackknife(real: np.ndarray, fake: np.ndarray) -> _Parts:
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    n, m = len(real), len(fake)
    across_real, across_fake = _sums(real, fake)
    within_real, within_fake = (_sums(rows, rows)[0] - _with_itself(rows) for rows in (real, fake))
    total_real, total_fake, across = within_real.sum(), within_fake.sum(), across_real.sum()

    return _Parts(
        float(_estimate(total_real, n, total_fake, m, across)),
        _estimate(total_real - 2 * within_real, n - 1, total_fake, m, across - across_real),
        _estimate(total_real, n, total_fake - 2 * within_fake, m - 1, across - across_fake),
    )


def _estimate(
    within_real: np.ndarray, n: int, within_fake: np.ndarray, m: int, across: np.ndarray
) -> np.ndarray:
    """KID from sums of kernel values over pairs of different pictures; one, or one each."""
    return within_real / (n * (n - 1)) + within_fake / (m * (m - 1)) - 2 * across / (n * m)


def _sums(left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the kernel matrix over its columns, [N], and over its rows, [M]."""
    over_columns, over_rows = np.empty(len(left)), np.zeros(len(right))
    for start in range(0, len(left), _CHUNK):
        kernels = kernel(left[start : start + _CHUNK], right)
        over_columns[start : start + _CHUNK] = kernels.sum(axis=1)
        over_rows += kernels.sum(axis=0)
    return over_columns, over_rows


def _with_itself(rows: np.ndarray) -> np.ndarray:
    return (np.square(rows).sum(axis=1) / rows.shape[1] + 1) ** 3


def _interval(*estimates_without: np.ndarray) -> float:
    variances = [(len(values) - 1) * np.var(values) for values in estimates_without]
    return float(_STANDARD_ERRORS * np.sqrt(sum(variances)))
