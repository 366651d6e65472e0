"""The trainings in one checkpoint root: which one a step goes on with, which ones go.

A training that was stopped by a person or a machine is worth hours. It goes on when the
same configuration is given again; another configuration does not pass over it in silence.
"""

import contextlib
import logging
import math
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from components.shared.contracts import TRAIN_SPLIT, TRAINING_IDENTITY
from components.shared.errors import DataRefused, TrainingStopped, UsageError
from components.shared.files import read_json
from components.train.config import TrainConfig
from components.train.training_state import (
    folder_of,
    mark,
    newest_step,
    read_state,
    try_lock,
)

if TYPE_CHECKING:
    from components.train.training_folder import TrainingFolder

LOG = logging.getLogger("dcgan.train")
_REMOVED = ".removed-"
_ENDED = {"finished", "stopped", "left behind"}
# Settings that decide when a training begins, how long it goes on, where its pictures wait, or
# which files it leaves, but not what it has learned after a given step.
_OTHER_SETTINGS = {
    "resume", "queue", "epochs", "minutes", "patience", "guard_epochs", "cache_gib",
    "checkpoint_seconds", "snapshot_epochs", "snapshots_kept", "trainings_kept",
    "trainings_kept_days",
}  # fmt: skip


def identity_of(data_digest: str, code_version: str, config: TrainConfig) -> dict[str, Any]:
    """What tells one training from another, as a JSON object."""
    settings = config.model_dump(mode="json", exclude=_OTHER_SETTINGS)
    return {"data": data_digest, "code": code_version, "config": settings}


def last_epoch(state: dict[str, Any], config: TrainConfig) -> int:
    """Epoch at whose end the training is over, at the latest.

    Where as many `minutes` were used up already, or as much `patience` was, it is the one that
    ended then, even for a process that has a few last steps to do again.

    Args:
        state: What `read_state` says of the training.
        config: Settings of this step.
    """
    ends = [config.epochs]
    for fact, limit in (("time_up", "minutes"), ("patience_up", "patience")):
        end = state.get(fact)
        if end and 0 < getattr(config, limit) <= end[limit]:
            ends.append(end["epoch"])
    return min(ends)


def steps_of_epoch(counts: dict[str, int], config: TrainConfig) -> int:
    """Steps of an epoch; DataRefused where there is not one, by the manifest's `counts`."""
    count = counts[TRAIN_SPLIT]
    if count < config.batch_size:
        raise DataRefused(
            f"{count} training pictures are fewer than train.batch_size "
            f"(={config.batch_size}): add pictures, or lower it"
        )
    return count // config.batch_size


class _Training(NamedTuple):
    """A training as others see it."""

    path: Path
    state: dict[str, Any]
    step: int | None  # of its newest checkpoint

    @property
    def age(self) -> float:
        """Seconds since it was last worked on."""
        return time.time() - self.state.get("updated", 0.0)


class Prospect(NamedTuple):
    """What a step finds, and so is to do."""

    own: _Training  # the very training that is asked for, which need not be there
    anew: bool  # whether to forget what that has done so far
    unfinished: list[_Training]  # others, to be left behind

    @property
    def first_step(self) -> int:
        """Steps that are done already."""
        return 0 if self.anew else self.own.step or 0


def foresee(
    checkpoint_root: Path, identity: dict[str, Any], config: TrainConfig, steps_per_epoch: int
) -> Prospect:
    """Look which training `open_training` would go on with, and change nothing.

    Raises:
        UsageError: Another training waits unfinished, or this one is past its last epoch.
        TrainingStopped: It was stopped before, and would be again.
    """
    path = folder_of(checkpoint_root, identity)
    own = _Training(path, read_state(path), newest_step(path))
    anew = own.step is not None and _starts_over(own, config, steps_per_epoch)
    if own.state.get("status") == "stopped" and not anew:
        _refuse_stopped(own.state, config)
    unfinished = list(_unfinished(checkpoint_root, path)) if anew or own.step is None else []
    if unfinished and config.resume == "auto":
        _refuse_to_pass_over(unfinished, identity)
    return Prospect(own, anew, unfinished)


def open_training(
    checkpoint_root: Path, identity: dict[str, Any], config: TrainConfig, steps_per_epoch: int
) -> "TrainingFolder":
    """Open the training's folder, where it is right to go on or to begin.

    Raises:
        UsageError: Another training waits unfinished, or this one is past its last epoch.
        TrainingStopped: It was stopped before, and would be again.
        PipelineError: Another process works on this training.
    """
    from components.train.training_folder import TrainingFolder

    own, anew, unfinished = foresee(checkpoint_root, identity, config, steps_per_epoch)
    end = last_epoch(own.state, config)
    folder = TrainingFolder(checkpoint_root, identity)
    if anew:
        LOG.info("starting over: removing what was trained to step %d in %s", own.step, own.path)
        folder.clear()
    if anew or own.step is None:
        folder.mark("running", begun=config.resume, time_up=None, patience_up=None, dtype=None)
    for other in unfinished:
        _leave_behind(other)
    if own.state.get("epochs", end) < end:
        _forget_former_end(folder, own.state["epochs"], config)
    _remove_ended(checkpoint_root, folder.path, config)
    return folder


def _trainings(checkpoint_root: Path) -> list[_Training]:
    """All that are there, those that were worked on last first."""
    found = [path.parent for path in checkpoint_root.glob(f"[!.]*/{TRAINING_IDENTITY}")]
    trainings = [_Training(path, read_state(path), newest_step(path)) for path in found]
    return sorted(trainings, key=lambda training: training.age)


def _starts_over(own: _Training, config: TrainConfig, steps_per_epoch: int) -> bool:
    """Whether to forget what this very training has done so far.

    A step that is retried is given `fresh` again, and has to go on with what it has begun.
    """
    past_the_end = (own.step or 0) > steps_per_epoch * config.epochs
    if config.resume == "fresh":
        begun_so = own.state.get("begun") == "fresh" or own.state.get("status") == "finished"
        return past_the_end or not begun_so
    if past_the_end:
        raise UsageError(
            f"this training went to epoch {(own.step or 0) // steps_per_epoch} already, "
            f"train.epochs is {config.epochs}: raise it, or start over with "
            "--set train.resume=fresh"
        )
    return False


@contextlib.contextmanager
def _held(training: _Training) -> Iterator[bool]:
    """Hold a training; False where another process may work on it."""
    try:
        lock = try_lock(training.path)
    except OSError:  # no locks here, or it was removed: better leave it alone
        lock = None
    with lock or contextlib.nullcontext():
        yield lock is not None


def _unfinished(checkpoint_root: Path, own: Path) -> Iterator[_Training]:
    for training in _trainings(checkpoint_root):
        if training.path == own or training.step is None:
            continue
        done = training.step >= training.state.get("total_steps", math.inf)
        if not done and training.state.get("status") not in _ENDED:
            with _held(training) as held:
                if held:
                    yield training


def _refuse_stopped(state: dict[str, Any], config: TrainConfig) -> None:
    if config.guard_epochs != state.get("guard_epochs"):
        return  # whoever changes it has read why
    raise TrainingStopped(
        "this training was stopped before, and the same settings would end the same way: "
        f"{state['reason']}; or try another train.seed (={config.seed})"
    )


def _refuse_to_pass_over(unfinished: list[_Training], identity: dict[str, Any]) -> None:
    latest, *more = unfinished
    there = read_json(latest.path / TRAINING_IDENTITY)
    raise UsageError(
        f"the training in {latest.path} is unfinished (step {latest.step} of "
        f"{latest.state.get('total_steps', '?')}, {_duration(latest.age)} old"
        f"{f', and {len(more)} more are' if more else ''}), and this is another one "
        f"({'; '.join(_differences(there, identity))}): set that back to go on with it, or "
        "start over with --set train.resume=fresh"
    )


def _differences(there: dict[str, Any], here: dict[str, Any]) -> Iterator[str]:
    if there["data"] != here["data"]:
        yield f"data digest {there['data'][:8]} there, {here['data'][:8]} here"
    if there["code"] != here["code"]:
        yield f"code {there['code'][:8]} there, {here['code'][:8]} here"
    for key in sorted(there["config"] | here["config"]):
        old, new = (side["config"].get(key, "unset") for side in (there, here))
        if old != new:
            yield f"train.{key} {old} there, {new} here"


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} seconds"


def _leave_behind(training: _Training) -> None:
    with _held(training) as held:
        if held:
            LOG.info("leaving behind the training in %s, step %s", training.path, training.step)
            mark(training.path, "left behind")


def _forget_former_end(folder: "TrainingFolder", former_end: int, config: TrainConfig) -> None:
    """Go on past it: drop the snapshot that was taken only because the training ended there."""
    folder.mark("running", time_up=None, patience_up=None)
    if former_end % config.snapshot_epochs:
        folder.remove_snapshot(former_end)


def _remove_ended(checkpoint_root: Path, own: Path, config: TrainConfig) -> None:
    """Remove trainings that ended long ago or many trainings ago."""
    for leftover in checkpoint_root.iterdir():
        if re.fullmatch(rf"{re.escape(_REMOVED)}[0-9a-f]{{16}}", leftover.name):
            shutil.rmtree(leftover, ignore_errors=True)
    ended = [
        training
        for training in _trainings(checkpoint_root)
        if training.path != own and training.state.get("status") in _ENDED
    ]
    gone = [
        training.path.name
        for rank, training in enumerate(ended)
        if rank >= config.trainings_kept or training.age > config.trainings_kept_days * 86400
        if _remove(training)
    ]
    if gone:
        LOG.info("removed %d ended trainings (%s)", len(gone), ", ".join(gone))


def _remove(training: _Training) -> bool:
    """Remove a training by renaming it first, so that a kill leaves no half of it."""
    aside = training.path.with_name(f"{_REMOVED}{training.path.name}")
    with _held(training) as held:
        if not held or read_state(training.path).get("status") not in _ENDED:
            return False
        try:
            training.path.rename(aside)
        except OSError:  # somebody else's
            return False
        shutil.rmtree(aside, ignore_errors=True)  # the next start finds what stays
    return True
