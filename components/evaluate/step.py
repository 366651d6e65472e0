"""The evaluate step: which snapshot of a training is the best, and how good it is."""

import logging
import shutil
from pathlib import Path
from typing import Any

import keras

from components.evaluate.by_class import score_classes
from components.evaluate.config import EvaluateConfig
from components.evaluate.evidence import gather_evidence
from components.evaluate.extractors.registry import load_extractor
from components.evaluate.feature_cache import cached_feature_set
from components.evaluate.halving import choose_snapshot
from components.evaluate.limits import kid_limit
from components.evaluate.real_features import RealFeatures
from components.evaluate.scoring import (
    NOT_FINITE,
    SAMPLE_COLUMNS,
    draw_samples,
    load_real,
    score,
)
from components.evaluate.verdict import standing
from components.metrics.compared import hold_against
from components.shared.classes import Classes
from components.shared.contracts import (
    DISCRIMINATOR,
    GENERATOR,
    MANIFEST,
    NEAREST,
    REAL_FEATURES,
    SAMPLES,
    SCORES_FILE,
    SNAPSHOTS,
    discriminator_of,
    epoch_of,
)
from components.shared.errors import PipelineError
from components.shared.files import complete_or_absent, read_json, write_json
from components.shared.pictures import grid, save_png

LOG = logging.getLogger("dcgan.evaluate")


def evaluate(
    records: Path, training: Path, evaluation: Path, checkpoint_root: Path, config: EvaluateConfig
) -> dict[str, Any]:
    """Choose a snapshot by pictures of the training, and score it by held-out ones.

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
    paths = _snapshots(training)
    classes = Classes.of(read_json(records / MANIFEST))
    real, train_split = load_real(records, config)
    extractor = load_extractor(config)
    real_features, training_features = (
        cached_feature_set(pictures, extractor, config.neighbours, checkpoint_root)
        for pictures in (real, train_split)
    )
    choice = choose_snapshot(paths, training_features, extractor, config, classes)
    generator = keras.models.load_model(choice.best, compile=False)
    samples = draw_samples(generator, extractor, config, classes)
    compared = hold_against(real_features, samples.features) if samples.features else None
    best = {"epoch": epoch_of(choice.best), **(score(compared) if compared else NOT_FINITE)}
    LOG.info("the best is that of epoch %d", best["epoch"])

    evidence = gather_evidence(
        records,
        generator,
        (samples.first, compared),
        (real, real_features),
        train_split,
        extractor,
        checkpoint_root,
        config,
    )
    by_class = (
        score_classes(records, generator, real_features.features, extractor, classes, config)
        if classes
        else None
    )
    stands = standing(best, evidence.controls)
    for line in (stands, evidence.nearest["sentence"], evidence.smoothness["sentence"]):
        LOG.info("%s", line)
    if by_class:
        LOG.info("%s", by_class["sentence"])

    scores = {
        "extractor": extractor.description,
        "real_images": len(real),
        "generated_images": config.samples,
        "rungs": [rung._asdict() for rung in choice.rungs],
        "snapshots": choice.looked_at,
        "best": best,
        "controls": evidence.controls,
        "standing": stands,
        "nearest": evidence.nearest,
        "smoothness": evidence.smoothness,
        "by_class": by_class,
        "kid_limit": kid_limit(evidence.controls, config),
        "config": config.model_dump(mode="json"),
    }
    with complete_or_absent(evaluation) as folder:
        shutil.copyfile(choice.best, folder / GENERATOR)
        if (discriminator := discriminator_of(choice.best)).exists():  # older trainings have none
            shutil.copyfile(discriminator, folder / DISCRIMINATOR)
        save_png(folder / SAMPLES, grid(samples.first, SAMPLE_COLUMNS))
        save_png(folder / NEAREST, grid(evidence.nearest_pictures, SAMPLE_COLUMNS))
        RealFeatures.of(real, real_features.features, extractor.description).save(
            folder / REAL_FEATURES
        )
        write_json(folder / SCORES_FILE, scores)
    return scores


def _snapshots(training: Path) -> list[Path]:
    folder = training / SNAPSHOTS
    paths = sorted(folder.glob("epoch-*.keras"), key=epoch_of)
    if not paths:
        raise PipelineError(f"no snapshot of a generator in {folder}: run train to its end first")
    return paths
