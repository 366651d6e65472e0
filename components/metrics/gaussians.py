"""Gaussians fitted to features, float [N, d], by which Fréchet distances are worked out."""

from typing import NamedTuple, Self

import numpy as np

from components.metrics.blocks import blocks_of


class Gaussian(NamedTuple):
    """A mean, float64 [d], and A, [≤ d, d], with AᵀA the unbiased covariance."""

    mean: np.ndarray
    root: np.ndarray


class Gaussians(NamedTuple):
    """Of a set, and of each half of it: every other row."""

    whole: Gaussian
    halves: tuple[Gaussian, Gaussian]


def fit_gaussians(features: np.ndarray) -> Gaussians:
    """Fit them, N ≥ 4. More rows than dimensions are summed up block by block."""
    dimensions = features.shape[1]
    halves = features[0::2], features[1::2]
    if len(features) <= dimensions:
        return Gaussians(_of_rows(features), (_of_rows(halves[0]), _of_rows(halves[1])))
    centre = features.mean(axis=0, dtype=np.float64)
    moments = [_Moments.of(half, centre) for half in halves]
    both = _Moments(*(one + other for one, other in zip(*moments, strict=True)))
    first, second = (
        sums.gaussian(centre) if len(half) > dimensions else _of_rows(half)
        for half, sums in zip(halves, moments, strict=True)
    )
    return Gaussians(both.gaussian(centre), (first, second))


class _Moments(NamedTuple):
    """Sums over rows less a centre."""

    number: int
    first: np.ndarray  # [d]
    second: np.ndarray  # of their products, [d, d]

    @classmethod
    def of(cls, features: np.ndarray, centre: np.ndarray) -> Self:
        first, second = np.zeros_like(centre), np.zeros((len(centre), len(centre)))
        for block in blocks_of(features):
            rows = features[block] - centre
            first += rows.sum(axis=0)
            second += rows.T @ rows
        return cls(len(features), first, second)

    def gaussian(self, centre: np.ndarray) -> Gaussian:
        off = self.first / self.number
        covariance = (self.second - self.number * np.outer(off, off)) / (self.number - 1)
        return Gaussian(centre + off, _root(covariance))


def _root(covariance: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.cholesky(covariance).T
    except np.linalg.LinAlgError:  # some direction has no spread
        values, vectors = np.linalg.eigh(covariance)
        return np.sqrt(values.clip(min=0))[:, np.newaxis] * vectors.T


def _of_rows(features: np.ndarray) -> Gaussian:
    """Fit one to no more rows than dimensions, which are a root themselves."""
    mean = features.mean(axis=0, dtype=np.float64)
    return Gaussian(mean, (features - mean) / np.sqrt(len(features) - 1))
