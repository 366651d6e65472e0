"""The folder in which one training lives, across all the processes that work on it.

It is named by the digest of all that determines the training, and outlives the step:
whoever starts the same training again finds its state here.
"""

import contextlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self, TextIO

import keras
import numpy as np
import tensorflow as tf

from components.shared.contracts import (
    KIDS,
    METRICS,
    SHEETS,
    SNAPSHOTS,
    TENSORBOARD,
    TRAINING_IDENTITY,
    discriminator_of,
    epoch_file,
    epoch_of,
)
from components.shared.errors import PipelineError
from components.shared.files import read_json_lines, write_atomically, write_json
from components.shared.pictures import save_png
from components.train.checkpoints import Arrays, remove_leftovers, restore, save_checkpoint
from components.train.training_state import (
    CHECKPOINTS,
    Status,
    folder_of,
    mark,
    try_lock,
)

_PARTIAL = ".partial-"
_SECONDS_TO_LOCK = 1.0  # another training that starts may look whether this one is live


class TrainingFolder:
    """Checkpoints, snapshots, sheets and curves of one training."""

    writes = True

    def __init__(self, checkpoint_root: Path, identity: dict[str, Any]) -> None:
        """Open the folder of the training that `identity` (a JSON object) determines.

        Raises:
            PipelineError: Another process works on this training.
        """
        self.path = folder_of(checkpoint_root, identity)
        self._make_folders()
        self._lock = _lock(self.path)
        self._remove_leftovers()
        write_json(self.path / TRAINING_IDENTITY, identity)

    def __enter__(self) -> Self:
        """Return the folder itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let others work on this training."""
        if self._lock:
            self._lock.close()

    def _make_folders(self) -> None:
        for name in (CHECKPOINTS, SNAPSHOTS, SHEETS):
            (self.path / name).mkdir(parents=True, exist_ok=True)

    def _remove_leftovers(self) -> None:
        """Remove what a killed process or a full disk left half-written."""
        for partial in (self.path / SNAPSHOTS).glob(f"{_PARTIAL}*"):
            partial.unlink()
        remove_leftovers(self.path / CHECKPOINTS)

    def clear(self) -> None:
        """Forget all that was trained; checkpoints last, so that a kill leaves them to see."""
        (self.path / KIDS).unlink(missing_ok=True)
        for name in (SNAPSHOTS, SHEETS, TENSORBOARD, CHECKPOINTS):
            shutil.rmtree(self.path / name, ignore_errors=True)
        self._make_folders()

    def restore(self, state: dict[str, tf.Variable]) -> bool:
        """Load the last whole checkpoint into `state`; False where there is none."""
        way_out = f"remove {self.path} to start over"
        return restore(self.path / CHECKPOINTS, state, way_out)

    def save_checkpoint(self, arrays: Arrays) -> None:
        """Write a checkpoint, and that this training is under way."""
        save_checkpoint(self.path / CHECKPOINTS, arrays)
        mark(self.path, "running")

    def mark(self, status: Status, **facts: Any) -> None:
        """Say how it stands with this training."""
        mark(self.path, status, **facts)

    def forget_after(self, step: int) -> list[dict[str, Any]]:
        """Drop what came after `step` and is made again; give the curves' points that stay.

        TensorBoard's events cannot be taken back, so all of them go. Snapshots stay: with
        only a few kept, they would be missed until they are made again.
        """
        shutil.rmtree(self.path / TENSORBOARD, ignore_errors=True)
        rows = [row for row in self._read_rows(METRICS) if row["step"] <= step]
        self.write_metrics(rows)
        last = rows[-1]["epoch"] if rows else 0
        for sheet in (self.path / SHEETS).iterdir():
            if epoch_of(sheet) > last:
                sheet.unlink()
        return rows

    def _read_rows(self, name: str) -> list[dict[str, Any]]:
        path = self.path / name
        return read_json_lines(path) if path.exists() else []

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Write the curves, one row for each epoch so far."""
        _write_json_lines(self.path / METRICS, rows)

    def read_kids(self, epochs: int) -> list[dict[str, Any]]:
        """The KIDs that were written of snapshots, of so many epochs and the start."""
        return [row for row in self._read_rows(KIDS) if row["epoch"] <= epochs]

    def write_kids(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write the KIDs of snapshots, one row each."""
        _write_json_lines(self.path / KIDS, rows)

    def save_sheet(self, epoch: int, sheet: np.ndarray) -> None:
        """Save the sample sheet of an epoch as PNG."""
        save_png(self.path / SHEETS / epoch_file(epoch, ".png"), sheet)

    def save_snapshot(
        self,
        epoch: int,
        generator: keras.Model,
        discriminator: Arrays,
        every: int,
        kept: int,
        spared: Iterable[float] = (),
    ) -> None:
        """Save the networks after an epoch, and thin the snapshots before it.

        Args:
            epoch: The epoch; 0 before the first.
            generator: The one to draw with.
            discriminator: Its opponent, float32 by name.
            every: Epochs between snapshots.
            kept: Snapshots that stay, spread evenly, with the newest among them.
            spared: Epochs; the last snapshot up to each stays, too.
        """
        target = self.snapshot(epoch)
        with _whole(discriminator_of(target)) as partial:
            np.savez(partial, **discriminator)
        with _whole(target) as partial:  # last: it is what others look for
            generator.save(partial)
        snapshots = sorted(target.parent.glob("epoch-*.keras"), key=epoch_of)
        evenly = evenly_spread(epoch, every, kept)
        # Those after it were made by a process that was killed, and are made again.
        stay = {path for path in snapshots if epoch_of(path) >= epoch or epoch_of(path) in evenly}
        for last in spared:
            stay.update([path for path in snapshots if epoch_of(path) <= last][-1:])
        for old in set(snapshots) - stay:
            self.remove_snapshot(epoch_of(old))

    def has_snapshot(self, epoch: int) -> bool:
        """Whether the generator was saved after an epoch."""
        return self.snapshot(epoch).exists()

    def remove_snapshot(self, epoch: int) -> None:
        """Remove the snapshot of an epoch, if there is one."""
        snapshot = self.snapshot(epoch)
        for path in (discriminator_of(snapshot), snapshot):
            path.unlink(missing_ok=True)

    def snapshot(self, epoch: int) -> Path:
        """Path of the snapshot of an epoch, be it there or not."""
        return self.path / SNAPSHOTS / epoch_file(epoch, ".keras")

    def copy_results(self, target: Path) -> None:
        """Copy what later steps and people read: all but the checkpoints."""
        for name in (SNAPSHOTS, SHEETS, TENSORBOARD):
            shutil.copytree(self.path / name, target / name)
        shutil.copy(self.path / METRICS, target / METRICS)
        if (self.path / KIDS).exists():
            shutil.copy(self.path / KIDS, target / KIDS)


class FollowerFolder(TrainingFolder):
    """The folder as workers beside the chief see it: they read, the chief alone writes."""

    writes = False

    def __init__(self, checkpoint_root: Path, identity: dict[str, Any]) -> None:
        """Find the folder, which the chief holds."""
        self.path = folder_of(checkpoint_root, identity)
        self._lock = None

    def mark(self, status: Status, **facts: Any) -> None:
        """Leave it to the chief."""

    def forget_after(self, step: int) -> list[dict[str, Any]]:
        """Leave it to the chief, and give nothing."""
        return []


def evenly_spread(epoch: int, every: int, kept: int) -> range:
    """Epochs before `epoch` whose snapshots stay, so that `kept` are there with its own at most.

    The distance between them doubles as the training goes on: so none is missed that was removed
    before, and a training that was resumed keeps those that it would have kept.
    """
    if kept == 1:
        return range(0)
    distance = every
    while len(range(0, epoch, distance)) > kept - 1:
        distance *= 2
    return range(0, epoch, distance)


def _write_json_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    write_atomically(path, "".join(json.dumps(row) + "\n" for row in rows).encode())


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """Yield the path of a file that becomes `target` when it is written."""
    partial = target.with_name(f"{_PARTIAL}{target.name}")
    yield partial
    partial.replace(target)


def _lock(path: Path) -> TextIO | None:
    """Lock a training, or say who has it; None on a file system without locks."""
    deadline = time.monotonic() + _SECONDS_TO_LOCK
    try:
        while (file := try_lock(path)) is None:
            if time.monotonic() > deadline:
                raise PipelineError(
                    f"another process works on the training in {path}: wait for it, or stop it"
                )
            time.sleep(0.1)
    except OSError:
        return None
    return file
