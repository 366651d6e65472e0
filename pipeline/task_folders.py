"""kfp's folders of the tasks' outputs, one tree per run, which the cache refers to."""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

_LOCK = ".lock"  # held while the run is alive; the system frees it however that ends


@contextlib.contextmanager
def task_folders(root: Path, run: str) -> Iterator[Path]:
    """Yield the run's folder; what tasks leave there that did not end well is removed.

    So is what dead runs left. The folder holds a `.lock` for as long as the run lives,
    by which its tasks notice its end.
    """
    root.mkdir(parents=True, exist_ok=True)
    for other in root.iterdir():
        if not other.name.startswith(".") and not is_locked(lock_of(other)):
            _remove_unfinished(other)
    folder, unlocked = root / run, root / f".{run}"
    unlocked.mkdir()
    with lock_of(unlocked).open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        unlocked.rename(folder)
        try:
            yield folder
        finally:
            _remove_unfinished(folder)


def lock_of(folder: Path) -> Path:
    """The file that is locked while the run of this folder lives."""
    return folder / _LOCK


def is_locked(lock: Path) -> bool:
    """Whether the run that this lock belongs to lives."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:  # locked, or not ours to open
        return True
    return False


def _remove_unfinished(folder: Path) -> None:
    tasks = [task for task in folder.glob("*/*") if task.is_dir()]
    unfinished = [task for task in tasks if not (task / "executor_output.json").exists()]
    for task in unfinished:
        shutil.rmtree(task, ignore_errors=True)
    if unfinished == tasks:
        shutil.rmtree(folder, ignore_errors=True)
