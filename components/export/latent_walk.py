"""A walk through the latents: how one picture becomes another, round and round."""

import keras
import numpy as np
from PIL import Image

from components.export.gif import shrink
from components.shared.normalization import to_pixels
from components.shared.pictures import grid

_SIDE = 3  # pictures a row, and rows
_STOPS = 4  # latents on the way
_PARALLEL = 1e-6  # sine of an angle that rounding decides


def walk_frames(generator: keras.Model, count: int, seed: int) -> list[Image.Image]:
    """Draw a closed walk of 3×3 pictures through random latents, RGB.

    Each picture has four latents of its own; the last frame is as near to the first as
    any two neighbours are, so that the loop has no seam.

    Args:
        generator: float32 latents [B, latent_size] → [-1, 1], [B, H, W, 3].
        count: Frames.
        seed: Of the latents, which are standard normal.
    """
    shape = [_STOPS, _SIDE**2, generator.input_shape[-1]]
    stops = np.random.default_rng(seed).standard_normal(shape)
    frames = []
    for index in range(count):
        stop, rest = divmod(index * _STOPS, count)
        latents = slerp(stops[stop], stops[(stop + 1) % _STOPS], rest / count)
        pictures = to_pixels(generator(latents.astype(np.float32), training=False)).numpy()
        frames.append(shrink(Image.fromarray(grid(pictures, _SIDE))))
    return frames


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
