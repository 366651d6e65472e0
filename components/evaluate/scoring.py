"""All scores of one set of generated pictures."""

import numpy as np

from components.evaluate.metrics.frechet import frechet_distance
from components.evaluate.metrics.kid import kid
from components.evaluate.metrics.prdc import prdc

SCORES = ("kid", "frechet_distance", "precision", "recall", "density", "coverage")


def score(real: np.ndarray, fake: np.ndarray, neighbours: int) -> dict[str, float]:
    """Score features of generated pictures, [M, d], against those of real ones, [N, d].

    Returns:
        A value for each of `SCORES`; N and M must exceed `neighbours`.
    """
    return {
        "kid": kid(real, fake),
        "frechet_distance": frechet_distance(real, fake),
        **prdc(real, fake, neighbours),
    }
