"""Fréchet distance between two Gaussians: Heusel et al. 2017, https://arxiv.org/abs/1706.08500.

‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½). With Σ₁ = A₁ᵀA₁, Σ₂ = A₂ᵀA₂ and P = A₁A₂ᵀ, the
eigenvalues of Σ₁Σ₂ other than 0 are those of PPᵀ. That matrix is symmetric, so they are
real and not negative where a general matrix root fails; and it is small where there are
fewer pictures than dimensions.
"""

import numpy as np


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Distance between the Gaussians fitted to two sets of features, in float64.

    Biased upwards for small samples: compare only figures made with equal counts.
    """
    (real_mean, real_root), (fake_mean, fake_root) = _fit(real), _fit(fake)
    if len(real_root) > len(fake_root):
        real_root, fake_root = fake_root, real_root
    product = real_root @ fake_root.T
    eigenvalues = np.linalg.eigvalsh(product @ product.T)
    trace_of_root = np.sqrt(eigenvalues.clip(min=0)).sum()  # rounding can fall below 0
    traces = np.square(real_root).sum() + np.square(fake_root).sum()
    return float(np.square(real_mean - fake_mean).sum() + traces - 2 * trace_of_root)


def _fit(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and A of at most d rows so that AᵀA is the unbiased covariance."""
    features = np.asarray(features, np.float64)
    count, dimensions = features.shape
    mean = features.mean(axis=0)
    root = (features - mean) / np.sqrt(count - 1)
    if count > dimensions:
        root = np.linalg.qr(root, mode="r")
    return mean, root
