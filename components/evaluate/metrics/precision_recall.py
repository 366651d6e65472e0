"""Precision and recall: Kynkäänniemi et al. 2019, §2, https://arxiv.org/abs/1904.06991.

Each is blind to what the other sees, and a few pictures far out widen the balls of both.
"""

import numpy as np

from components.evaluate.metrics.neighbours import in_balls


def precision(real: np.ndarray, fake: np.ndarray, neighbours: int) -> float:
    """Share of fakes, [M, d], within the ball of some real picture, [N, d], N > k."""
    within = np.zeros(len(fake), bool)
    for balls in in_balls(real, fake, neighbours):
        within |= balls.any(axis=0)
    return float(within.mean())


def recall(real: np.ndarray, fake: np.ndarray, neighbours: int) -> float:
    """Share of real pictures, [N, d], within the ball of some fake, [M, d], M > k."""
    return precision(fake, real, neighbours)
