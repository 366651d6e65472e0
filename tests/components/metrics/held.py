"""Metrics of two sets of features, each walked over for one test."""

import numpy as np

from components.metrics.compared import Compared, hold_against
from components.metrics.feature_set import FeatureSet
from components.metrics.frechet import frechet_distance
from components.metrics.gaussians import fit_gaussians


def held(real: np.ndarray, fake: np.ndarray, neighbours: int = 1) -> Compared:
    return hold_against(FeatureSet(real, neighbours), FeatureSet(fake, neighbours))


def frechet(real: np.ndarray, fake: np.ndarray) -> float:
    return frechet_distance(fit_gaussians(real).whole, fit_gaussians(fake).whole)
