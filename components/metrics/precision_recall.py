"""Precision and recall: Kynkäänniemi et al. 2019, §2, https://arxiv.org/abs/1904.06991.

Each is blind to what the other sees, and a few pictures far out widen the balls of both.
"""

from components.metrics.compared import Compared


def precision(compared: Compared) -> float:
    """Share of fakes within the ball of some real picture."""
    return float((compared.fake_in_real_balls > 0).mean())


def recall(compared: Compared) -> float:
    """Share of real pictures within the ball of some fake."""
    return float((compared.real_in_fake_balls > 0).mean())
