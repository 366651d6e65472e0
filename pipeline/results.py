"""What a finished run leaves for a person: one folder, complete or absent."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from components.shared.contracts import (
    DRIFT,
    EVAL_SPLIT,
    MANIFEST,
    MODEL_CARD,
    REPORT,
    SAMPLES,
    SCORED_BY,
    SCORES_FILE,
    TRAINING,
)
from components.shared.errors import UsageError
from components.shared.files import complete_or_absent, digest_of, read_json, write_json
from pipeline.config import PipelineConfig

CONFIG = "config.yaml"
RUN = "run.json"
LATEST = "latest"
TASKS = (
    "fingerprint", "ingest", "transform", "validate", "train", "evaluate", "export", "compare",
    "report", "publish",
)  # fmt: skip


class RunSummary(NamedTuple):
    """A run's folder and what `run.json` in it says."""

    folder: Path
    values: dict[str, Any]


def save_results(
    folder: Path,
    config: PipelineConfig,
    publish_root: str,
    outputs: dict[str, Any],
    seconds: dict[str, tuple[float, float]],
    total_seconds: float,
) -> RunSummary:
    """Copy the artifacts of the DAG to `folder` and point `latest` at it.

    They are copied, since a cached step's artifacts lie in an older run.

    Args:
        folder: Folder to make.
        config: What was run.
        publish_root: Where blessed models go.
        outputs: The DAG's outputs, artifacts with a `path`.
        seconds: Own work and imports, of the steps that ran.
        total_seconds: Of the whole run.
    """
    artifacts = {name: Path(artifact.path) for name, artifact in outputs.items()}
    scores = read_json(artifacts["evaluation"] / SCORES_FILE)
    manifest = read_json(artifacts["records"] / MANIFEST)
    training = read_json(artifacts["training"] / TRAINING)
    comparison = read_json(artifacts["comparison"])
    values = {
        "images": config.sources,
        "counts": manifest["counts"],
        "data_digest": manifest["digest"],
        "eval_digest": digest_of([shard["sha256"] for shard in manifest["shards"][EVAL_SPLIT]]),
        "drift": read_json(artifacts["validation"] / DRIFT)["sentence"],
        "training": {key: training[key] for key in ("epochs", "steps", "images_seen", "seconds")},
        **{key: scores[key] for key in (*SCORED_BY, "best")},
        "floor": scores["controls"]["floor"],
        "standing": scores["standing"],
        "blessed": comparison["blessed"],
        "blessed_reason": comparison["reason"],
        "steps": {
            name: {"work": work, "imports": imports} for name, (work, imports) in seconds.items()
        },
        "total_seconds": round(total_seconds, 1),
        "publish_root": publish_root,
        "artifacts": {name: str(path) for name, path in artifacts.items()},
    }
    with complete_or_absent(folder) as target:
        shutil.copy(artifacts["report"], target / REPORT)
        shutil.copy(artifacts["evaluation"] / SAMPLES, target / SAMPLES)
        shutil.copytree(artifacts["model"], target, dirs_exist_ok=True)
        shutil.copy(artifacts["card"], target / MODEL_CARD)
        train = config.train.by_epochs(training["epochs"])
        repeating = config.model_copy(update={"train": train})
        (target / CONFIG).write_text(repeating.to_yaml())
        write_json(target / RUN, values)
    _point_latest_at(folder)
    return RunSummary(folder, values)


def read_run(path: Path, needed: Iterable[str]) -> RunSummary:
    """Read what a finished run said.

    Raises:
        UsageError: `path` is no run, or what it said lacks a key that is `needed`.
    """
    try:
        values = read_json(path / RUN)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path} is no run: it holds no {RUN}; pass e.g. runs/latest") from None
    except ValueError as error:
        raise UsageError(f"{path / RUN} is damaged ({error}); run it again") from None
    if missing := [key for key in needed if key not in values]:
        raise UsageError(
            f"{path} was made by an older version: its {RUN} has no {missing[0]}; run it again "
            f"(dcgan run --config {path / CONFIG})"
        )
    return RunSummary(path, values)


def _point_latest_at(folder: Path) -> None:
    link = folder.with_name(LATEST)
    partial = folder.with_name(f".{LATEST}.partial")
    partial.unlink(missing_ok=True)
    partial.symlink_to(folder.name, target_is_directory=True)
    partial.replace(link)
