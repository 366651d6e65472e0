"""A walk through the latents: how one picture becomes another, round and round."""

import keras
import numpy as np
from PIL import Image

from components.export.gif import shrink
from components.shared.classes import Classes
from components.shared.generators import images_of, latent_size
from components.shared.latents import slerp
from components.shared.normalization import to_pixels
from components.shared.pictures import grid

_SIDE = 3  # pictures a row, and rows
_STOPS = 4  # latents on the way


def walk_frames(
    generator: keras.Model, count: int, seed: int, classes: Classes | None = None
) -> list[Image.Image]:
    """Draw a closed walk of 3×3 pictures through random latents, RGB.

    Each picture has four latents of its own; the last frame is as near to the first as
    any two neighbours are, so that the loop has no seam. With classes, each row is of one, the
    largest first.

    Args:
        generator: float32 latents [B, latent_size], labels → [-1, 1], [B, H, W, 3].
        count: Frames.
        seed: Of the latents, which are standard normal.
        classes: Those that the generator draws; None for one that takes no labels.
    """
    shape = [_STOPS, _SIDE**2, latent_size(generator)]
    stops = np.random.default_rng(seed).standard_normal(shape)
    labels = None
    if classes:
        labels = np.repeat(np.resize(classes.largest(_SIDE), _SIDE), _SIDE).astype(np.int32)
    frames = []
    for index in range(count):
        stop, rest = divmod(index * _STOPS, count)
        latents = slerp(stops[stop], stops[(stop + 1) % _STOPS], rest / count)
        pictures = to_pixels(images_of(generator, latents.astype(np.float32), labels)).numpy()
        frames.append(shrink(Image.fromarray(grid(pictures, _SIDE))))
    return frames
