"""How pictures are scored, the same way for every generator that is compared with another."""

import math
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from components.evaluate.config import EvaluateConfig
from components.evaluate.enough import refuse_too_few
from components.metrics.compared import Compared
from components.metrics.density_coverage import coverage, density
from components.metrics.drawing import Asked, ask_at_random, describe, draw, random_latents
from components.metrics.extractor import Extractor
from components.metrics.feature_set import FeatureSet
from components.metrics.frechet import frechet_distance
from components.metrics.frechet_infinity import frechet_infinity
from components.metrics.gaussians import fit_gaussians
from components.metrics.kid import kid
from components.metrics.precision_recall import precision, recall
from components.shared.classes import Classes
from components.shared.contracts import EVAL_SPLIT, MANIFEST, TRAIN_SPLIT
from components.shared.files import read_json
from components.shared.normalization import to_pixels
from components.shared.records import decode_images, load_images

SCORE_NAMES = (
    "kid", "kid_interval", "frechet_distance", "frechet_infinity",
    "precision", "recall", "density", "coverage",
)  # fmt: skip
SAMPLES_KEPT = 64  # for the sheet and what is told of single ones
SAMPLE_COLUMNS = 8  # of the sheet

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


def draw_samples(
    generator: keras.Model,
    extractor: Extractor,
    config: EvaluateConfig,
    classes: Classes | None = None,
) -> Samples:
    """Draw from `config.samples` latents of `config.seed`, the same for every generator.

    With classes, the first are drawn anew: the same latents in the rows of each of the largest.

    Args:
        generator: Latents, and labels with classes, → [-1, 1], [B, S, S, 3].
        extractor: What describes pictures.
        config: Settings of this step.
        classes: Those that it draws; None where it takes no labels.
    """
    asked = ask_at_random(config.seed, config.samples, generator, classes)
    kept = asked.part(slice(SAMPLES_KEPT))
    if classes:
        shown = classes.largest(SAMPLE_COLUMNS)
        each = SAMPLES_KEPT // len(shown) // SAMPLE_COLUMNS * SAMPLE_COLUMNS
        latents = random_latents(config.seed, each, generator)
        kept = Asked(
            np.tile(latents, [len(shown), 1]), np.repeat(np.asarray(shown, np.int32), each)
        )
    first = next(draw(generator, kept))
    features = describe(generator, asked, extractor)
    first = to_pixels(np.nan_to_num(first)).numpy()
    return Samples(first, None if features is None else FeatureSet(features, config.neighbours))


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
