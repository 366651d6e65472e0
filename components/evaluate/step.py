"""The evaluate step: how good the last snapshots are, which is best, and is it good enough."""

import logging
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from components.evaluate.config import EvaluateConfig
from components.evaluate.evidence import gather_evidence
from components.evaluate.extractors.extractor import Extractor
from components.evaluate.extractors.registry import load_extractor
from components.evaluate.feature_cache import cached_feature_set
from components.evaluate.metrics.compared import Compared, hold_against
from components.evaluate.metrics.feature_set import FeatureSet
from components.evaluate.real_features import RealFeatures
from components.evaluate.scoring import (
    NOT_FINITE,
    Scores,
    draw_samples,
    kid_of,
    load_real,
    score,
)
from components.evaluate.verdict import judge, kid_limit, standing
from components.shared.contracts import (
    DISCRIMINATOR,
    GENERATOR,
    NEAREST,
    REAL_FEATURES,
    SAMPLES,
    SCORES_FILE,
    SNAPSHOTS,
    discriminator_of,
    epoch_of,
)
from components.shared.errors import PipelineError
from components.shared.files import complete_or_absent, write_json
from components.shared.pictures import grid, save_png

LOG = logging.getLogger("dcgan.evaluate")
_SAMPLE_COLUMNS = 8


class _Snapshot(NamedTuple):
    path: Path
    first: np.ndarray  # of its samples, uint8 [≤ 64, S, S, 3]
    compared: Compared | None  # with the real pictures; None where samples are not finite
    scores: Scores

    @property
    def epoch(self) -> int:
        return epoch_of(self.path)


def evaluate(
    records: Path, training: Path, evaluation: Path, checkpoint_root: Path, config: EvaluateConfig
) -> dict[str, Any]:
    """Score the last snapshots against held-out pictures and pick the one of the lowest KID.

    Args:
        records: Folder written by ingest.
        training: Folder written by train.
        evaluation: Folder to make: `scores.json`, `generator.keras` (the best snapshot)
            and its `discriminator.npz`, `samples.png`, `nearest.png` (the training picture
            nearest to each sample, in its place), and `real_features.npz` of the held-out
            pictures.
        checkpoint_root: Folder that outlives the run, for features of real pictures.
        config: Settings of this step.

    Returns:
        What `scores.json` holds; a score that is not finite is None.

    Raises:
        PipelineError: There is no snapshot.
        DataRefused: Too few pictures for `config.neighbours`.
        UsageError: No such extractor.
    """
    paths = _last_snapshots(training, config.snapshots)
    real, train_split = load_real(records, config)
    extractor = load_extractor(config)
    real_features = cached_feature_set(real, extractor, config.neighbours, checkpoint_root)
    snapshots = [_score_snapshot(path, real_features, extractor, config) for path in paths]
    best = min(snapshots, key=lambda snapshot: kid_of(snapshot.scores))
    LOG.info("the best is that of epoch %d", best.epoch)

    evidence = gather_evidence(
        records,
        _load(best.path),
        (best.first, best.compared),
        (real, real_features),
        train_split,
        extractor,
        checkpoint_root,
        config,
    )
    best_scores = {"epoch": best.epoch, **best.scores}
    stands = standing(best_scores, evidence.controls)
    passed, reason = judge(best_scores, evidence.controls, config)
    for line in (stands, evidence.nearest["sentence"], evidence.smoothness["sentence"]):
        LOG.info("%s", line)
    LOG.info("%s: %s", "passed" if passed else "not passed", reason)

    scores = {
        "extractor": extractor.description,
        "real_images": len(real),
        "generated_images": config.samples,
        "snapshots": [{"epoch": one.epoch, **one.scores} for one in snapshots],
        "best": best_scores,
        "controls": evidence.controls,
        "standing": stands,
        "nearest": evidence.nearest,
        "smoothness": evidence.smoothness,
        "kid_limit": kid_limit(evidence.controls, config),
        "passed": passed,
        "passed_reason": reason,
        "config": config.model_dump(mode="json"),
    }
    with complete_or_absent(evaluation) as folder:
        shutil.copyfile(best.path, folder / GENERATOR)
        if (discriminator := discriminator_of(best.path)).exists():  # older trainings have none
            shutil.copyfile(discriminator, folder / DISCRIMINATOR)
        save_png(folder / SAMPLES, grid(best.first, _SAMPLE_COLUMNS))
        save_png(folder / NEAREST, grid(evidence.nearest_pictures, _SAMPLE_COLUMNS))
        RealFeatures.of(real, real_features.features, extractor.description).save(
            folder / REAL_FEATURES
        )
        write_json(folder / SCORES_FILE, scores)
    return scores


def _last_snapshots(training: Path, count: int) -> list[Path]:
    folder = training / SNAPSHOTS
    paths = sorted(folder.glob("epoch-*.keras"), key=epoch_of)
    if not paths:
        raise PipelineError(f"no snapshot of a generator in {folder}: run train to its end first")
    return paths[-count:]


def _score_snapshot(
    path: Path, real_features: FeatureSet, extractor: Extractor, config: EvaluateConfig
) -> _Snapshot:
    samples = draw_samples(_load(path), extractor, config)
    compared = hold_against(real_features, samples.features) if samples.features else None
    snapshot = _Snapshot(path, samples.first, compared, score(compared) if compared else NOT_FINITE)
    LOG.info("epoch %d: %s", snapshot.epoch, _describe(snapshot.scores))
    return snapshot


def _load(path: Path) -> keras.Model:
    return keras.models.load_model(path, compile=False)


def _describe(scores: Scores) -> str:
    if None in scores.values():
        return "the pictures are not finite numbers"
    return (
        f"KID {scores['kid']:.3f} ± {scores['kid_interval']:.3f}, coverage {scores['coverage']:.2f}"
    )
