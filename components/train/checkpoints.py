"""The folder in which one training lives, across all the processes that work on it.

It is named by the digest of all that determines the training, and outlives the step:
whoever starts the same training again finds its state here.
"""

import fcntl
import json
import shutil
from pathlib import Path
from typing import Any, Self, TextIO

import keras
import numpy as np
import tensorflow as tf

from components.shared.contracts import (
    METRICS,
    SHEETS,
    SNAPSHOTS,
    TENSORBOARD,
    epoch_file,
    epoch_of,
)
from components.shared.errors import PipelineError
from components.shared.files import digest_of, read_json_lines, write_atomically, write_json
from components.shared.pictures import save_png

_CHECKPOINTS = "checkpoints"
_IDENTITY = "training_identity.json"
_LOCK = ".lock"
_PARTIAL = ".partial-"


class TrainingFolder:
    """Checkpoints, snapshots, sheets and curves of one training."""

    def __init__(self, checkpoint_root: Path, identity: dict[str, Any]) -> None:
        """Open the folder of the training that `identity` (a JSON object) determines.

        Raises:
            PipelineError: Another process works on this training.
        """
        self.path = checkpoint_root / digest_of(identity)[:16]
        for name in (_CHECKPOINTS, SNAPSHOTS, SHEETS):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.path)
        self._remove_leftovers()
        write_json(self.path / _IDENTITY, identity)
        self._manager: tf.train.CheckpointManager | None = None

    def __enter__(self) -> Self:
        """Return the folder itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let others work on this training."""
        self._lock.close()

    def _remove_leftovers(self) -> None:
        """Remove what a killed process or a full disk left half-written."""
        for partial in (self.path / SNAPSHOTS).glob(f"{_PARTIAL}*"):
            partial.unlink()
        for partial in (self.path / _CHECKPOINTS).glob("*_temp"):  # TensorFlow's
            shutil.rmtree(partial)

    def restore(self, state: tf.train.Checkpoint) -> bool:
        """Load the last complete checkpoint into `state`; False where there is none."""
        self._manager = tf.train.CheckpointManager(
            state, str(self.path / _CHECKPOINTS), max_to_keep=2, step_counter=state.step
        )
        latest = self._manager.latest_checkpoint
        if latest is None:
            return False
        state.restore(latest).assert_existing_objects_matched()
        return True

    def save(self) -> None:
        """Write a checkpoint; TensorFlow names it as the latest only once it is whole."""
        assert self._manager is not None, "restore() comes first"
        self._manager.save()

    def forget_after(self, step: int) -> list[dict[str, Any]]:
        """Drop the curves' points after `step`, to be made again; give those that stay.

        TensorBoard's events cannot be taken back, so all of them go.
        """
        shutil.rmtree(self.path / TENSORBOARD, ignore_errors=True)
        rows = [row for row in self._read_metrics() if row["step"] <= step]
        self._write_metrics(rows)
        return rows

    def summary_writer(self) -> tf.summary.SummaryWriter:
        """Open TensorBoard's events."""
        return tf.summary.create_file_writer(str(self.path / TENSORBOARD))

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Add one point to the curves."""
        self._write_metrics([*self._read_metrics(), row])

    def _read_metrics(self) -> list[dict[str, Any]]:
        path = self.path / METRICS
        return read_json_lines(path) if path.exists() else []

    def _write_metrics(self, rows: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(self.path / METRICS, lines.encode())

    def save_sheet(self, epoch: int, sheet: np.ndarray) -> None:
        """Save the sample sheet of an epoch as PNG."""
        save_png(self.path / SHEETS / epoch_file(epoch, ".png"), sheet)

    def save_snapshot(self, epoch: int, generator: keras.Model, kept: int) -> None:
        """Save the generator after an epoch; of older snapshots, the last ones stay."""
        target = self.path / SNAPSHOTS / epoch_file(epoch, ".keras")
        partial = target.with_name(f"{_PARTIAL}{target.name}")
        generator.save(partial)
        partial.replace(target)
        for old in sorted(target.parent.glob("epoch-*.keras"), key=epoch_of)[:-kept]:
            old.unlink()

    def copy_results(self, target: Path) -> None:
        """Copy what later steps and people read: all but the checkpoints."""
        for name in (SNAPSHOTS, SHEETS, TENSORBOARD):
            shutil.copytree(self.path / name, target / name)
        shutil.copy(self.path / METRICS, target / METRICS)


class FollowerFolder(TrainingFolder):
    """The folder as workers beside the chief see it: they read it, the chief alone writes."""

    def __init__(self, checkpoint_root: Path, identity: dict[str, Any]) -> None:
        """Open the folder, whether the chief has made it yet or not."""
        self.path = checkpoint_root / digest_of(identity)[:16]

    def __exit__(self, *_: object) -> None:
        """Leave the lock to the chief."""

    def save(self) -> None:
        """Leave it to the chief, as all that follows."""

    def forget_after(self, step: int) -> list[dict[str, Any]]:
        """Drop nothing, give nothing."""
        return []

    def summary_writer(self) -> tf.summary.SummaryWriter:
        """Give a writer that writes nothing."""
        return tf.summary.create_noop_writer()

    def add_metrics(self, row: dict[str, Any]) -> None:
        """Add nothing."""

    def save_sheet(self, epoch: int, sheet: np.ndarray) -> None:
        """Save nothing."""

    def save_snapshot(self, epoch: int, generator: keras.Model, kept: int) -> None:
        """Save nothing."""


def _lock(folder: Path) -> TextIO:
    """Keep others out until the file is closed or the process ends, however it does."""
    file = (folder / _LOCK).open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise PipelineError(
            f"another process works on the training in {folder}: wait for it, or stop it"
        ) from None
    except OSError:  # a file system without locks
        pass
    return file
