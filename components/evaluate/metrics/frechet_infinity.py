"""Fréchet distance without its bias: Chong and Forsyth 2020, §3, https://arxiv.org/abs/1911.07023.

What too few pictures add to the distance falls as one over their number, so a line through
distances of smaller and smaller subsets meets the axis at that of infinitely many.
"""

import numpy as np

from components.evaluate.metrics.frechet import frechet_distance

_POINTS = 15  # as in the paper
_SMALLEST = 1 / 3  # of both sets


def frechet_infinity(real: np.ndarray, fake: np.ndarray) -> float:
    """Extrapolate the distance to infinitely many pictures, on both sides.

    Unlike the paper, which has tens of thousands of real pictures, it takes subsets of
    the real ones, too. What it gives for two samples of one distribution is around 0.

    Args:
        real: Features, float [N, d], N ≥ 6.
        fake: Features, float [M, d], M ≥ 6.
    """
    random = np.random.default_rng(0)
    one_over_share = np.linspace(1, 1 / _SMALLEST, _POINTS)
    distances = [
        frechet_distance(*(_subset(rows, share, random) for rows in (real, fake)))
        for share in 1 / one_over_share
    ]
    _, at_infinity = np.polyfit(one_over_share, distances, 1)
    return float(at_infinity)


def _subset(rows: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    return rows[random.permutation(len(rows))[: round(share * len(rows))]]
