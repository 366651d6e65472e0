"""How pictures are scored, the same way for every generator that is compared with another."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from components.evaluate.config import EvaluateConfig
from components.evaluate.enough import refuse_too_few
from components.evaluate.extractors.extractor import Extractor
from components.evaluate.metrics.compared import Compared
from components.evaluate.metrics.density_coverage import coverage, density
from components.evaluate.metrics.feature_set import FeatureSet
from components.evaluate.metrics.frechet import frechet_distance
from components.evaluate.metrics.frechet_infinity import frechet_infinity
from components.evaluate.metrics.gaussians import fit_gaussians
from components.evaluate.metrics.kid import kid
from components.evaluate.metrics.precision_recall import precision, recall
from components.shared.contracts import EVAL_SPLIT, MANIFEST, TRAIN_SPLIT
from components.shared.files import read_json
from components.shared.normalization import to_pixels
from components.shared.records import decode_images, load_images

SCORE_NAMES = (
    "kid", "kid_interval", "frechet_distance", "frechet_infinity",
    "precision", "recall", "density", "coverage",
)  # fmt: skip
SAMPLES_KEPT = 64  # also what is drawn at once

Scores = dict[str, float | None]  # None: not finite, which JSON cannot hold
NOT_FINITE: Scores = dict.fromkeys(SCORE_NAMES)  # of pictures


class Samples(NamedTuple):
    """What a generator drew."""

    first: np.ndarray  # uint8 [≤ 64, S, S, 3]; grey where it is not a number
    features: FeatureSet | None  # None where a pixel is not finite


def load_real(records: Path, config: EvaluateConfig) -> tuple[np.ndarray, np.ndarray]:
    """Load the held-out pictures, and as many of the training's, where it has as many.

    Returns:
        Two arrays, uint8 [N, S, S, 3] with N ≤ `config.samples`.

    Raises:
        DataRefused: Too few pictures for `config.neighbours`.
    """
    manifest = read_json(records / MANIFEST)
    refuse_too_few(manifest["counts"], config)
    image_size = manifest["image_size"]
    held_out = load_images(records, EVAL_SPLIT, config.samples)
    train_split = load_images(records, TRAIN_SPLIT, len(held_out))
    return decode_images(held_out, image_size), decode_images(train_split, image_size)


def draw_samples(generator: keras.Model, extractor: Extractor, config: EvaluateConfig) -> Samples:
    """Draw from `config.samples` latents of `config.seed`, the same for every generator.

    Args:
        generator: float32 latents [B, L] → [-1, 1], [B, S, S, 3].
        extractor: What describes pictures.
        config: Settings of this step.
    """
    latents = random_latents(config.seed, config.samples, generator)
    first = to_pixels(np.nan_to_num(next(draw(generator, latents)))).numpy()
    features = describe(generator, latents, extractor)
    return Samples(first, None if features is None else FeatureSet(features, config.neighbours))


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
    """Draw from float32 latents [B, L], 64 at once: what the generator gives."""
    for start in range(0, len(latents), SAMPLES_KEPT):
        yield np.asarray(generator(latents[start : start + SAMPLES_KEPT], training=False))


def score(compared: Compared) -> Scores:
    """A value for each of `SCORE_NAMES`, None where it is not finite; N and M are at least 6."""
    distance = kid(compared)
    real, fake = compared.real.gaussians, fit_gaussians(compared.fake.features)
    frechet = frechet_distance(real.whole, fake.whole)
    scores = {
        "kid": distance.value,
        "kid_interval": distance.interval,
        "frechet_distance": frechet,
        "frechet_infinity": frechet_infinity(real, fake, frechet),
        "precision": precision(compared),
        "recall": recall(compared),
        "density": density(compared),
        "coverage": coverage(compared),
    }
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}
