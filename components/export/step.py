"""The export step: the best generator as a model to serve, with its GIF."""

import logging
import shutil
from pathlib import Path
from typing import Any

from components.export.config import ExportConfig
from components.export.gif import write_gif
from components.export.saved_model import (
    describe,
    load_generator,
    weights_digest,
    write_saved_model,
)
from components.shared.contracts import (
    GENERATOR,
    GIF,
    MODEL_INFO,
    SAVED_MODEL,
    SCORES,
    SHEETS,
    epoch_of,
)
from components.shared.errors import PipelineError
from components.shared.files import complete_or_absent, read_json, write_json

LOG = logging.getLogger("dcgan.export")


def export(training: Path, evaluation: Path, model: Path, config: ExportConfig) -> dict[str, Any]:
    """Make the folder that publish copies and TensorFlow Serving loads.

    Args:
        training: Folder written by train: `sheets/`, `training.json`.
        evaluation: Folder written by evaluate: `generator.keras`, `scores.json`.
        model: Folder to make: `dcgan.gif`, `saved_model/`, `generator.keras`,
            `model.json`.
        config: Knobs of this step.

    Returns:
        What `model.json` holds (name, licence, digest, extractor, scores, passed,
        passed_reason), and `gif_frames` and `gif_bytes`.

    Raises:
        PipelineError: The training left no sample sheets.
    """
    sheets = sorted((training / SHEETS).glob("epoch-*.png"), key=epoch_of)
    if not sheets:
        raise PipelineError(f"no sample sheets in {training / SHEETS}: run the training again")
    scores = read_json(evaluation / SCORES)
    generator = load_generator(evaluation / GENERATOR)
    info = {
        "name": config.model_name,
        "licence": config.licence,
        "digest": weights_digest(generator),
        "extractor": scores["extractor"],
        "scores": scores["best"],
        "passed": scores["passed"],
        "passed_reason": scores["passed_reason"],
    }

    with complete_or_absent(model) as folder:
        frames = write_gif(
            folder / GIF,
            sheets,
            frames=config.gif_frames,
            frame_ms=config.gif_frame_ms,
            hold_ms=config.gif_hold_ms,
        )
        gif_bytes = (folder / GIF).stat().st_size
        LOG.info("GIF: %d frames, %.1f MB", frames, gif_bytes / 1e6)
        write_saved_model(folder / SAVED_MODEL, generator)
        LOG.info("SavedModel: %s", describe(generator))
        shutil.copyfile(evaluation / GENERATOR, folder / GENERATOR)
        write_json(folder / MODEL_INFO, info)
    return {**info, "gif_frames": frames, "gif_bytes": gif_bytes}
