"""How pictures are scored, the same way for every generator that is compared with another."""

import math
from pathlib import Path

import keras
import numpy as np

from components.evaluate.config import EvaluateConfig
from components.evaluate.features import extract_features
from components.evaluate.metrics.frechet import frechet_distance
from components.evaluate.metrics.kid import kid
from components.evaluate.metrics.prdc import prdc
from components.shared.contracts import EVAL_SPLIT, MANIFEST, TRAIN_SPLIT
from components.shared.errors import UsageError
from components.shared.files import read_json
from components.shared.pixels import denormalize
from components.shared.records import decode_images, load_images

SCORES = ("kid", "frechet_distance", "precision", "recall", "density", "coverage")
SAMPLES_KEPT = 64  # also what is drawn at once

Scores = dict[str, float | None]  # None: not finite, which JSON cannot hold


def load_real(records: Path, config: EvaluateConfig) -> tuple[np.ndarray, np.ndarray]:
    """Load the held-out pictures, and as many of the training's, where it has as many.

    Returns:
        Two arrays, uint8 [N, S, S, 3] with N ≤ `config.samples`.

    Raises:
        UsageError: Too few pictures for `config.neighbours`.
    """
    image_size = read_json(records / MANIFEST)["image_size"]
    held_out = load_images(records, EVAL_SPLIT, config.samples)
    train_split = load_images(records, TRAIN_SPLIT, len(held_out))
    if min(len(held_out), len(train_split), config.samples) <= config.neighbours:
        raise UsageError(
            f"evaluate.neighbours (={config.neighbours}) must be below evaluate.samples "
            f"(={config.samples}) and the number of pictures to compare ({len(held_out)} held "
            f"out, {len(train_split)} to train on): lower it, add pictures, or raise "
            "ingest.eval_share"
        )
    return decode_images(held_out, image_size), decode_images(train_split, image_size)


def score_generator(
    generator: keras.Model, real: np.ndarray, config: EvaluateConfig
) -> tuple[Scores, np.ndarray]:
    """Score what a generator draws from `config.samples` latents of `config.seed`.

    Args:
        generator: float32 latents [B, L] → [-1, 1], [B, H, W, 3].
        real: Features of the held-out pictures, float32 [N, d].
        config: Knobs of this step.

    Returns:
        Its scores, each None where a pixel is not finite; and the first `SAMPLES_KEPT`
        pictures, uint8 [≤ 64, H, W, 3].
    """
    random = np.random.default_rng(config.seed)  # the same latents for every generator
    latents = random.standard_normal([config.samples, generator.input_shape[-1]], np.float32)
    features, finite = [], True
    for start in range(0, len(latents), SAMPLES_KEPT):
        values = np.asarray(generator(latents[start : start + SAMPLES_KEPT], training=False))
        finite = finite and bool(np.isfinite(values).all())
        values = np.nan_to_num(values).clip(-1, 1)
        pictures = np.rint(denormalize(values)).astype(np.uint8)
        features.append(extract_features(pictures))
        if start == 0:
            samples = pictures
    if not finite:
        return dict.fromkeys(SCORES), samples
    return _finite(score(real, np.concatenate(features), config.neighbours)), samples


def score(real: np.ndarray, fake: np.ndarray, neighbours: int) -> dict[str, float]:
    """Score features of generated pictures, [M, d], against those of real ones, [N, d].

    Returns:
        A value for each of `SCORES`; N and M must exceed `neighbours`.
    """
    return {
        "kid": kid(real, fake),
        "frechet_distance": frechet_distance(real, fake),
        **prdc(real, fake, neighbours),
    }


def kid_of(scores: Scores) -> float:
    """KID to rank by: infinite where the pictures are not finite."""
    return math.inf if scores["kid"] is None else scores["kid"]


def _finite(scores: dict[str, float]) -> Scores:
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}
