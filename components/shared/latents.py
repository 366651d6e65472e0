"""Ways from one latent to another."""

import numpy as np


def slerp(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Go from latents to latents over the sphere: Shoemake 1985, doi.org/10.1145/325165.325242.

    Normal latents lie near a sphere, and a straight line would cut through its inside, where
    the generator has never been; lengths go linearly from one to the other.

    Args:
        start: float [..., L], not 0.
        end: float [..., L], not 0.
        share: Of the way, in [0, 1], [S].

    Returns:
        float32 [S, ..., L].
    """
    share = np.asarray(share, np.float64).reshape(-1, *[1] * np.ndim(start))
    lengths = [np.linalg.norm(one, axis=-1, keepdims=True) for one in (start, end)]
    first, last = start / lengths[0], end / lengths[1]
    angle = np.arccos((first * last).sum(axis=-1, keepdims=True).clip(-1, 1))
    # Where there is no arc to speak of, sines are too small to divide by.
    sine = np.sin(angle)
    straight = sine < 1e-6
    safe = np.where(straight, 1, sine)
    from_first = np.where(straight, 1 - share, np.sin((1 - share) * angle) / safe)
    from_last = np.where(straight, share, np.sin(share * angle) / safe)
    length = (1 - share) * lengths[0] + share * lengths[1]
    return ((from_first * first + from_last * last) * length).astype(np.float32)
