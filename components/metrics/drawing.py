"""What a generator draws, and how the extractor describes it."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import keras
import numpy as np

from components.metrics.extractor import Extractor
from components.shared.classes import Classes
from components.shared.generators import images_of, latent_size
from components.shared.normalization import to_pixels

_AT_ONCE = 64  # pictures


class Asked(NamedTuple):
    """What a generator is asked for."""

    latents: np.ndarray  # float32 [B, L]
    labels: np.ndarray | None = None  # int32 [B]; None where the generator takes none

    def part(self, rows: slice) -> Self:
        """Some of them."""
        labels = None if self.labels is None else self.labels[rows]
        return self._replace(latents=self.latents[rows], labels=labels)


def random_latents(seed: int | Sequence[int], count: int, generator: keras.Model) -> np.ndarray:
    """Standard normal, float32 [count, L]; the first of more are the same."""
    shape = [count, latent_size(generator)]
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def ask_at_random(
    seed: int | Sequence[int], count: int, generator: keras.Model, classes: Classes | None
) -> Asked:
    """Ask for random latents and, with classes, for these by their shares in the training."""
    labels = classes.draw_labels(seed, count) if classes else None
    return Asked(random_latents(seed, count, generator), labels)


def describe(generator: keras.Model, asked: Asked, extractor: Extractor) -> np.ndarray | None:
    """Features of what a generator draws, [B, d]; None where a pixel is not finite."""
    features = []
    for values in draw(generator, asked):
        if not np.isfinite(values).all():
            return None
        features.append(extractor(to_pixels(values).numpy()))
    return np.concatenate(features)


def draw(generator: keras.Model, asked: Asked) -> Iterator[np.ndarray]:
    """Draw what is asked for, some at once: what the generator gives."""
    for start in range(0, len(asked.latents), _AT_ONCE):
        part = asked.part(slice(start, start + _AT_ONCE))
        yield np.asarray(images_of(generator, *part))
