"""Ways from one latent to another."""

import numpy as np

_PARALLEL = 1e-6  # sine of an angle that rounding decides


def slerp(start: np.ndarray, end: np.ndarray, fraction: float) -> np.ndarray:
    """Interpolate along great circles at an even pace.

    Shoemake 1985, "Animating rotation with quaternion curves",
    https://doi.org/10.1145/325334.325242. A straight line between two normal latents passes
    closer to the origin than the latents that the generator learned from; an arc keeps their
    distance.

    Args:
        start: float [N, L], no row zero.
        end: float [N, L], no row zero.
        fraction: 0 gives `start`, 1 gives `end`.

    Returns:
        float [N, L]; on the straight line where two rows are parallel, which is the arc's
        limit, or opposite, where no arc is nearer than another.
    """
    lengths = np.linalg.norm(start, axis=1) * np.linalg.norm(end, axis=1)
    cosine = np.clip((start * end).sum(axis=1) / lengths, -1, 1)
    angle = np.arccos(cosine)[:, np.newaxis]
    parallel = np.sin(angle) < _PARALLEL
    sine = np.where(parallel, 1, np.sin(angle))
    weight = np.where(parallel, 1 - fraction, np.sin((1 - fraction) * angle) / sine)
    other_weight = np.where(parallel, fraction, np.sin(fraction * angle) / sine)
    return weight * start + other_weight * end
