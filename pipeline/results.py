"""What a finished run leaves for a person: one folder, complete or absent."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from components.shared.contracts import (
    DRIFT,
    EVAL_SPLIT,
    GENERATOR,
    GIF,
    MANIFEST,
    MODEL_CARD,
    REPORT,
    SAMPLES,
    SAVED_MODEL,
    SCORED_BY,
    SCORES_FILE,
    SHEETS,
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


class Scores(NamedTuple):
    """Pictures held against those that were held out; None where they are not finite numbers."""

    kid: float | None  # from about 0 up; less is better
    kid_interval: float | None  # to each side of it, at 95 % confidence
    precision: float | None  # share of samples that look like a real picture
    recall: float | None  # share of real pictures that look like a sample
    density: float | None  # like precision, and tells near from nearer; some 1 for real pictures
    coverage: float | None  # share of real pictures with a sample in their neighbourhood


class Training(NamedTuple):
    """What a training came to, over all its processes."""

    epochs: int
    steps: int
    images_seen: int
    seconds: float


@dataclass(frozen=True)
class RunSummary:
    """A finished run: where its results are, how good the model is, what it did."""

    folder: Path
    values: dict[str, Any] = field(repr=False)  # what `run.json` says

    @property
    def report(self) -> Path:
        """HTML page on how good the generator is, and why one may believe it."""
        return self.folder / REPORT

    @property
    def gif(self) -> Path:
        """The same 16 samples, epoch by epoch."""
        return self.folder / GIF

    @property
    def samples(self) -> Path:
        """PNG of 64 samples of the best epoch."""
        return self.folder / SAMPLES

    @property
    def saved_model(self) -> Path:
        """Folder for TensorFlow Serving: float32 latents [n, L] → uint8 [n, S, S, 3]."""
        return self.folder / SAVED_MODEL

    @property
    def generator(self) -> Path:
        """The same for Keras: float32 latents [n, L] → [-1, 1], [n, S, S, 3]."""
        return self.folder / GENERATOR

    @property
    def sheets(self) -> list[Path]:
        """PNGs of the same 16 samples, before the training and after each epoch."""
        return sorted((self._artifact("training") / SHEETS).glob("*.png"))

    @property
    def epoch(self) -> int:
        """The best one, whose generator this is."""
        return int(self.values["best"]["epoch"])

    @property
    def scores(self) -> Scores:
        """Of that epoch."""
        return _scores(self.values["best"])

    @property
    def controls(self) -> dict[str, Scores]:
        """Of real pictures: as they are (`floor`), `blurred`, a few of them (`collapsed`)."""
        controls = read_json(self._artifact("evaluation") / SCORES_FILE)["controls"]
        return {name: _scores(values) for name, values in controls.items()}

    @property
    def standing(self) -> str:
        """KID, and which controls the samples are better or worse than, as a line of text."""
        return str(self.values["standing"])

    @property
    def blessed(self) -> bool:
        """Whether the model may be published, and so is."""
        return bool(self.values["blessed"])

    @property
    def blessed_reason(self) -> str:
        """Why, or why not, as a line of text."""
        return str(self.values["blessed_reason"])

    @property
    def training(self) -> Training:
        """How long it was trained."""
        return Training(**self.values["training"])

    def _artifact(self, name: str) -> Path:
        return Path(self.values["artifacts"][name])


def save_results(
    folder: Path,
    config: PipelineConfig,
    publish_root: str,
    outputs: dict[str, Any],
    seconds: dict[str, tuple[float, float]],
    total_seconds: float,
) -> RunSummary:
    """Copy the artifacts of the DAG to `folder`.

    They are copied, since a cached task's artifacts lie in an older run.

    Args:
        folder: Folder to make.
        config: What was run.
        publish_root: Where blessed models go.
        outputs: The DAG's outputs, artifacts with a `path`.
        seconds: Own work and imports, of the tasks that ran.
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
        "tasks": {
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
        (target / CONFIG).write_text(repeating.to_yaml(), encoding="utf-8")
        write_json(target / RUN, values)
    return RunSummary(folder, values)


def point_latest_at(folder: Path, *, only_try: bool = False) -> str | None:
    """Have the link `latest` lead to a run's folder; what is in the way of that, or None.

    Args:
        folder: Of the run, which need not be there.
        only_try: Leave all as it is, and say what would be in the way.
    """
    link = folder.with_name(LATEST)
    partial = folder.with_name(f".{LATEST}.{os.getpid()}.partial")  # two runs may end at once
    if os.path.lexists(link) and not link.is_symlink():  # a copy of what it led to, as of cp -L
        return "it is no link: rename or remove it"
    try:
        partial.unlink(missing_ok=True)
        partial.symlink_to(folder.name, target_is_directory=True)
        if only_try:
            partial.unlink()
        else:
            partial.replace(link)
    except OSError as error:
        return f"no link can be made there ({error.strerror})"
    return None


def read_run(path: Path, needed: Iterable[str]) -> RunSummary:
    """Read what a finished run said.

    Raises:
        UsageError: `path` is no run, or what it said lacks a key that is `needed`.
    """
    try:
        values = read_json(path / RUN)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{path} is no finished run: it holds no {RUN}; pass the folder that `dcgan run` "
            "names at its end"
        ) from None
    except ValueError as error:
        raise UsageError(f"{path / RUN} is damaged ({error}); run it again") from None
    if missing := [key for key in needed if key not in values]:
        raise UsageError(
            f"{path} was made by an older version: its {RUN} has no {missing[0]}; run it again "
            f"(dcgan run --config {path / CONFIG})"
        )
    return RunSummary(path, values)


def _scores(values: Mapping[str, Any]) -> Scores:
    return Scores(**{name: values[name] for name in Scores._fields})
