"""Fréchet distance between two Gaussians: Heusel et al. 2017, https://arxiv.org/abs/1706.08500.

‖μ₁ − μ₂‖² + Tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½). With Σ₁ = A₁ᵀA₁, Σ₂ = A₂ᵀA₂ and P = A₁A₂ᵀ, the
eigenvalues of Σ₁Σ₂ other than 0 are those of PPᵀ. That matrix is symmetric, so they are
real and not negative where a general matrix root fails; and it is small where there are
fewer pictures than dimensions.
"""

import numpy as np

from components.metrics.gaussians import Gaussian


def frechet_distance(real: Gaussian, fake: Gaussian) -> float:
    """Distance between the Gaussians fitted to two sets of features, in float64.

    Biased upwards for small samples: compare only figures made with equal counts.
    """
    real_root, fake_root = real.root, fake.root
    if len(real_root) > len(fake_root):
        real_root, fake_root = fake_root, real_root
    product = real_root @ fake_root.T
    eigenvalues = np.linalg.eigvalsh(product @ product.T)
    trace_of_root = np.sqrt(eigenvalues.clip(min=0)).sum()  # rounding can fall below 0
    traces = np.square(real_root).sum() + np.square(fake_root).sum()
    return float(np.square(real.mean - fake.mean).sum() + traces - 2 * trace_of_root)
