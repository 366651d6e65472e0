"""Density and coverage: Naeem et al. 2020, §3, https://arxiv.org/abs/2002.09797.

Both use the balls of real pictures alone, which fakes far out cannot widen.
"""

import numpy as np

from components.evaluate.metrics.neighbours import in_balls


def density(real: np.ndarray, fake: np.ndarray, neighbours: int) -> float:
    """Real balls that a fake lies in, on average, over k.

    Args:
        real: Features, float [N, d], N > `neighbours`.
        fake: Features, float [M, d].
        neighbours: k.

    Returns:
        1 for two samples of one distribution; above it where fakes crowd.
    """
    total = sum(int(balls.sum()) for balls in in_balls(real, fake, neighbours))
    return total / (neighbours * len(fake))


def coverage(real: np.ndarray, fake: np.ndarray, neighbours: int) -> float:
    """Share of real pictures, [N, d], N > k, with a fake, [M, d], in their ball."""
    covered = sum(int(balls.any(axis=1).sum()) for balls in in_balls(real, fake, neighbours))
    return covered / len(real)
