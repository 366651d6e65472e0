"""Kernel inception distance: Bińkowski et al. 2018, §4, https://arxiv.org/abs/1801.01401.

Intervals are the jackknife's (Efron and Stein 1981, https://doi.org/10.1214/aos/1176345462):
each picture is left out once, which here costs no more than sums of rows. Its variance is
too large rather than too small, so the interval is not too narrow.
"""

from typing import NamedTuple

import numpy as np

from components.metrics.compared import Compared

_STANDARD_ERRORS = 1.96  # to each side, of a 95 % interval


class Kid(NamedTuple):
    """An estimate, and how far chance could have moved it."""

    value: float
    interval: float  # half the width of the 95 % confidence interval


class _Without(NamedTuple):
    """What the estimate would be without each of the pictures."""

    real: np.ndarray  # [N]
    fake: np.ndarray  # [M]


def kid(compared: Compared) -> Kid:
    """Unbiased squared maximum mean discrepancy, kernel (x·y/d + 1)³, N ≥ 3 and M ≥ 3.

    Around 0 for two samples of one distribution, and so below 0 as often as above.
    """
    without = _jackknife(compared)
    return Kid(_value(compared), _interval(*without))


def kid_difference(first: Compared, second: Compared) -> Kid:
    """How much the KID of one set of fakes is above that of another, beside the same real ones.

    The interval is that of the difference: what chance does to the real pictures it does
    to both, and does not count.
    """
    left, right = _jackknife(first), _jackknife(second)
    interval = _interval(left.real - right.real, left.fake, right.fake)
    return Kid(_value(first) - _value(second), interval)


def _value(compared: Compared) -> float:
    sums = compared.real.within.kernel_sums.sum(), compared.fake.within.kernel_sums.sum()
    n, m = len(compared.real), len(compared.fake)
    return float(_estimate(sums[0], n, sums[1], m, compared.kernel_sums_real.sum()))


def _jackknife(compared: Compared) -> _Without:
    n, m = len(compared.real), len(compared.fake)
    real, fake = compared.real.within.kernel_sums, compared.fake.within.kernel_sums
    across_real, across_fake = compared.kernel_sums_real, compared.kernel_sums_fake
    all_real, all_fake, across = real.sum(), fake.sum(), across_real.sum()
    return _Without(
        _estimate(all_real - 2 * real, n - 1, all_fake, m, across - across_real),
        _estimate(all_real, n, all_fake - 2 * fake, m - 1, across - across_fake),
    )


def _estimate(
    within_real: np.ndarray, n: int, within_fake: np.ndarray, m: int, across: np.ndarray
) -> np.ndarray:
    """KID from sums of kernel values over pairs of different pictures; one, or one each."""
    return within_real / (n * (n - 1)) + within_fake / (m * (m - 1)) - 2 * across / (n * m)


def _interval(*estimates_without: np.ndarray) -> float:
    variances = [(len(values) - 1) * np.var(values) for values in estimates_without]
    return float(_STANDARD_ERRORS * np.sqrt(sum(variances)))
