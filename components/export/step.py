"""The export step: the best generator as a model to serve, with its GIFs."""

import logging
import shutil
from pathlib import Path
from typing import Any

from PIL import Image

from components.export.animations import write_animation
from components.export.canary import try_saved_model
from components.export.config import ExportConfig
from components.export.formats import write_format
from components.export.gif import write_gif
from components.export.latent_walk import walk_frames
from components.export.packages import check_packages
from components.export.progress import progress_frames
from components.export.saved_model import (
    describe,
    load_generator,
    weights_digest,
    write_saved_model,
)
from components.shared.classes import Classes
from components.shared.contracts import (
    CLASS_COUNTS,
    CLASSES,
    DISCRIMINATOR,
    GENERATOR,
    GIF,
    LATENT_WALK,
    MODEL_INFO,
    SAVED_MODEL,
    SCORED_BY,
    SCORES_FILE,
    SHEETS,
    TRAINING,
    epoch_of,
)
from components.shared.errors import PipelineError
from components.shared.files import complete_or_absent, read_json, write_json

LOG = logging.getLogger("dcgan.export")


def export(training: Path, evaluation: Path, model: Path, config: ExportConfig) -> dict[str, Any]:
    """Make the folder that publish copies and TensorFlow Serving loads.

    Args:
        training: Folder written by train: `sheets/`, `training.json`.
        evaluation: Folder written by evaluate: `generator.keras`, `discriminator.npz`,
            `scores.json`.
        model: Folder to make: `dcgan.gif`, `latent_walk.gif`, `saved_model/`,
            `generator.keras`, `discriminator.npz`, `model.json`, and what `config` asks for.
        config: Settings of this step.

    Returns:
        What `model.json` holds: name, licence, digest, classes, scores and what they were made
        by, and what it descends from.

    Raises:
        PipelineError: The training left no sample sheets, or the SavedModel does not draw what
            was evaluated.
        UsageError: `config` asks for what no installed package can make.
    """
    check_packages(config)
    sheets = sorted((training / SHEETS).glob("epoch-*.png"), key=epoch_of)
    if not sheets:
        raise PipelineError(f"no sample sheets in {training / SHEETS}: run the training again")
    scores = read_json(evaluation / SCORES_FILE)
    generator = load_generator(evaluation / GENERATOR)
    trained = read_json(training / TRAINING)
    classes = Classes.of(trained["data"])
    info = {
        "name": config.model_name,
        "licence": config.licence,
        "attribution": config.attribution,
        "digest": weights_digest(generator),
        CLASSES: [*classes.names] if classes else [],
        CLASS_COUNTS: [*classes.counts] if classes else [],
        **{key: scores[key] for key in SCORED_BY},
        "scores": scores["best"],
        "descends_from": trained.get("descends_from"),
    }

    with complete_or_absent(model) as folder:
        progress = progress_frames(sheets, config.gif_frames)
        _write_gif(folder / GIF, progress, config, config.gif_hold_ms)
        for kind in config.animations:
            times = {"frame_ms": config.gif_frame_ms, "hold_ms": config.gif_hold_ms}
            write_animation((folder / GIF).with_suffix(f".{kind}"), kind, progress, **times)
        walk = walk_frames(generator, config.gif_frames, trained["config"]["seed"], classes)
        _write_gif(folder / LATENT_WALK, walk, config, config.gif_frame_ms)
        write_saved_model(folder / SAVED_MODEL, generator, classes)
        LOG.info("SavedModel: %s", describe(generator))
        shutil.copyfile(evaluation / GENERATOR, folder / GENERATOR)
        if (evaluation / DISCRIMINATOR).exists():  # older trainings have none
            shutil.copyfile(evaluation / DISCRIMINATOR, folder / DISCRIMINATOR)
        for form in config.formats:
            write_format((folder / GENERATOR).with_suffix(f".{form}"), form, generator)
        write_json(folder / MODEL_INFO, info)
        try_saved_model(folder / SAVED_MODEL, generator, config.canary_seconds, classes)
    return info


def _write_gif(target: Path, frames: list[Image.Image], config: ExportConfig, hold_ms: int) -> None:
    width, height = write_gif(target, frames, frame_ms=config.gif_frame_ms, hold_ms=hold_ms)
    megabytes = target.stat().st_size / 1e6
    LOG.info("%s: %d frames, %d×%d, %.1f MB", target.name, len(frames), width, height, megabytes)
