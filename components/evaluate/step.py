"""The evaluate step: how good the last snapshots are, which is best, and is it good enough."""

import logging
import math
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from components.evaluate.config import EvaluateConfig
from components.evaluate.features import DTYPE, EXTRACTOR, RESIZE, SHA256, extract_features
from components.evaluate.report import write_report
from components.evaluate.scoring import SCORES, score
from components.shared.contracts import (
    EVAL_SPLIT,
    GENERATOR,
    MANIFEST,
    REPORT,
    SAMPLES,
    SNAPSHOTS,
    TRAIN_SPLIT,
    epoch_of,
)
from components.shared.contracts import SCORES as SCORES_FILE
from components.shared.errors import PipelineError, UsageError
from components.shared.files import complete_or_absent, read_json, write_json
from components.shared.pictures import grid, save_png
from components.shared.pixels import denormalize
from components.shared.records import decode_images, load_images

LOG = logging.getLogger("dcgan.evaluate")
_SAMPLE_COLUMNS = 8
_BATCH = _SAMPLE_COLUMNS**2  # the first batch is what samples.png shows

_Scores = dict[str, float | None]  # None: not finite, which JSON cannot hold


class _Snapshot(NamedTuple):
    path: Path
    scores: _Scores
    samples: np.ndarray  # uint8 [≤ 64, H, W, 3]

    @property
    def epoch(self) -> int:
        return epoch_of(self.path)


def evaluate(
    records: Path, training: Path, evaluation: Path, config: EvaluateConfig
) -> dict[str, Any]:
    """Score the last snapshots against held-out pictures and pick the one of the lowest KID.

    Args:
        records: Folder written by ingest.
        training: Folder written by train.
        evaluation: Folder to make: `scores.json`, `generator.keras` (the best snapshot),
            `samples.png` and `report.html`.
        config: Knobs of this step.

    Returns:
        What `scores.json` holds; a score that is not finite is None.

    Raises:
        PipelineError: There is no snapshot.
        UsageError: Too few pictures for `config.neighbours`.
    """
    paths = _last_snapshots(training, config.snapshots)
    real, train_split = _load_real(records, config)
    real_features = extract_features(real)
    floor = score(real_features, extract_features(train_split), config.neighbours)
    snapshots = [_score_snapshot(path, real_features, config) for path in paths]
    best = min(snapshots, key=_kid)
    blessed, reason = _judge(best, config)
    LOG.info("the best is that of epoch %d", best.epoch)
    LOG.info("%s: %s", "blessed" if blessed else "not blessed", reason)

    scores = {
        "extractor": {"name": EXTRACTOR, "sha256": SHA256, "resize": RESIZE, "dtype": DTYPE},
        "real_images": len(real),
        "generated_images": config.samples,
        "snapshots": [{"epoch": one.epoch, **one.scores} for one in snapshots],
        "floor": {"images": len(train_split), **floor},
        "best": {"epoch": best.epoch, **best.scores},
        "blessed": blessed,
        "blessed_reason": reason,
        "config": config.model_dump(mode="json"),
    }
    with complete_or_absent(evaluation) as folder:
        shutil.copyfile(best.path, folder / GENERATOR)
        save_png(folder / SAMPLES, grid(best.samples, _SAMPLE_COLUMNS))
        write_report(
            folder / REPORT,
            scores=scores,
            records=records,
            training=training,
            samples_png=(folder / SAMPLES).read_bytes(),
        )
        write_json(folder / SCORES_FILE, scores)
    return scores


def _last_snapshots(training: Path, count: int) -> list[Path]:
    folder = training / SNAPSHOTS
    paths = sorted(folder.glob("epoch-*.keras"), key=epoch_of)
    if not paths:
        raise PipelineError(f"no snapshot of a generator in {folder}: run train to its end first")
    return paths[-count:]


def _load_real(records: Path, config: EvaluateConfig) -> tuple[np.ndarray, np.ndarray]:
    """Held-out pictures, and as many of the training's, where it has as many."""
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


def _score_snapshot(path: Path, real_features: np.ndarray, config: EvaluateConfig) -> _Snapshot:
    generator = keras.models.load_model(path, compile=False)
    random = np.random.default_rng(config.seed)  # the same latents for every snapshot
    latents = random.standard_normal([config.samples, generator.input_shape[-1]], np.float32)
    features, finite = [], True
    for start in range(0, len(latents), _BATCH):
        values = np.asarray(generator(latents[start : start + _BATCH], training=False))
        finite = finite and bool(np.isfinite(values).all())
        values = np.nan_to_num(values).clip(-1, 1)
        pictures = np.rint(denormalize(values)).astype(np.uint8)
        features.append(extract_features(pictures))
        if start == 0:
            samples = pictures
    if finite:
        scores = _finite(score(real_features, np.concatenate(features), config.neighbours))
    else:
        scores = dict.fromkeys(SCORES)
    snapshot = _Snapshot(path, scores, samples)
    LOG.info("epoch %d: %s", snapshot.epoch, _describe(scores))
    return snapshot


def _finite(scores: dict[str, float]) -> _Scores:
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}


def _describe(scores: _Scores) -> str:
    if None in scores.values():
        return "the generator's pictures are not finite"
    return f"KID {scores['kid']:.3f}, coverage {scores['coverage']:.2f}"


def _kid(snapshot: _Snapshot) -> float:
    kid = snapshot.scores["kid"]
    return math.inf if kid is None else kid


def _judge(best: _Snapshot, config: EvaluateConfig) -> tuple[bool, str]:
    """Whether the best snapshot may be published, and why, in one sentence."""
    kid, coverage = best.scores["kid"], best.scores["coverage"]
    if kid is None or coverage is None:
        return False, f"the pictures of epoch {best.epoch}, the best, are not finite numbers"
    failures = []
    if kid > config.max_kid:
        failures.append(f"KID {kid:.4g} is above {config.max_kid:g} (evaluate.max_kid)")
    if coverage < config.min_coverage:
        failures.append(
            f"coverage {coverage:.4g} is below {config.min_coverage:g} (evaluate.min_coverage)"
        )
    if failures:
        return False, " and ".join(failures)
    reason = f"KID {kid:.4g} is at most {config.max_kid:g}"
    if config.min_coverage:
        reason += f" and coverage {coverage:.4g} at least {config.min_coverage:g}"
    return True, reason
