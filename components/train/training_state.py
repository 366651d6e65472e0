"""How it stands with a training, as its folder tells; without TensorFlow, so that all may ask."""

import fcntl
import time
from pathlib import Path
from typing import Any, Literal, TextIO

from components.shared.contracts import TRAINING_STATE
from components.shared.files import digest_of, read_json, write_json

CHECKPOINTS = "checkpoints"
_LOCK = ".lock"

Status = Literal["running", "finished", "stopped", "left behind"]


def folder_of(checkpoint_root: Path, identity: dict[str, Any]) -> Path:
    """Folder of the training that `identity` (a JSON object) determines."""
    return checkpoint_root / digest_of(identity)[:16]


def newest_step(path: Path) -> int | None:
    """Steps done at the newest checkpoint of the training in `path`; None without one."""
    found = checkpoints_in(path / CHECKPOINTS)
    return step_of(found[0]) if found else None


def read_state(path: Path) -> dict[str, Any]:
    """What `mark` last wrote about the training in `path`; empty where it never did."""
    try:
        return read_json(path / TRAINING_STATE)
    except FileNotFoundError:
        return {}


def mark(path: Path, status: Status, **facts: Any) -> None:
    """Say how it stands with the training in `path`; other facts stay as they are."""
    state = read_state(path) | facts | {"status": status, "updated": round(time.time(), 3)}
    write_json(path / TRAINING_STATE, state)


def try_lock(path: Path) -> TextIO | None:
    """Keep others out until the file is closed or the process ends, however it does.

    None where another process works on the training in `path`; OSError on a file system
    without locks.
    """
    file = (path / _LOCK).open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        if isinstance(error, BlockingIOError):
            return None
        raise
    return file


def checkpoints_in(folder: Path) -> list[Path]:
    """Whole checkpoints in `folder`, by name ``step-00000531.npz``, the newest first."""
    return sorted(folder.glob("step-*.npz"), key=step_of, reverse=True)


def step_of(path: Path) -> int:
    """Steps done when a checkpoint was made."""
    return int(path.stem.removeprefix("step-"))
