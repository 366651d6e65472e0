"""What a generator draws, and how the extractor describes it."""

from collections.abc import Iterator, Sequence

import keras
import numpy as np

from components.metrics.extractor import Extractor
from components.shared.normalization import to_pixels

_AT_ONCE = 64  # pictures


def random_latents(seed: int | Sequence[int], count: int, generator: keras.Model) -> np.ndarray:
    """Standard normal, float32 [count, L]; the first of more are the same."""
    shape = [count, generator.input_shape[-1]]
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def describe(
    generator: keras.Model, latents: np.ndarray, extractor: Extractor
) -> np.ndarray | None:
    """Features of what a generator draws from latents, [B, d]; None where a pixel is not finite."""
    features = []
    for values in draw(generator, latents):
        if not np.isfinite(values).all():
            return None
        features.append(extractor(to_pixels(values).numpy()))
    return np.concatenate(features)


def draw(generator: keras.Model, latents: np.ndarray) -> Iterator[np.ndarray]:
    """Draw from float32 latents [B, L], some at once: what the generator gives."""
    for start in range(0, len(latents), _AT_ONCE):
        yield np.asarray(generator(latents[start : start + _AT_ONCE], training=False))
