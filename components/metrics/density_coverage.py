"""Density and coverage: Naeem et al. 2020, §3, https://arxiv.org/abs/2002.09797.

Both use the balls of real pictures alone, which fakes far out cannot widen.
"""

from components.metrics.compared import Compared


def density(compared: Compared) -> float:
    """Real balls that a fake lies in, on average, over k.

    1 for two samples of one distribution; above it where fakes crowd.
    """
    return float(compared.fake_in_real_balls.mean()) / compared.real.neighbours


def coverage(compared: Compared) -> float:
    """Share of real pictures with a fake in their ball."""
    return float(compared.covered.mean())
