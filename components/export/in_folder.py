"""A model's versions in a folder: one more, whole or not at all, by a rename under a lock."""

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from components.shared.contracts import MODEL_INFO
from components.shared.errors import PipelineError, UsageError
from components.shared.published import versions_in

LOG = logging.getLogger("dcgan.publish")

_LOCK = ".lock"
_PARTIAL = ".publishing-"
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


class FolderHome:
    """Folder of a model under the publish root."""

    def __init__(self, home: Path) -> None:
        """Name the folder; it need not exist."""
        self._home = home

    @contextlib.contextmanager
    def next_version(self) -> Iterator[Callable[[Mapping[str, Path]], int]]:
        """Keep others from publishing here, and yield what makes the next version.

        That takes files by their paths in the version, and gives its number.

        Raises:
            PipelineError: Another machine was quicker, where nothing locks.
            UsageError: The folder cannot be written, or is full.
        """
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            with self._lock() as locked:
                if locked:
                    self._remove_leftovers()
                yield self._write
        except OSError as error:
            raise UsageError(
                f"cannot publish to {self._home}: {_reason(error)}; make it writable and make "
                "room there, or choose another publish root"
            ) from error

    def tidy(self, kept: int) -> None:
        """Remove what is older than the newest versions; what others made stays."""
        for number in sorted(versions_in(self._home))[:-kept]:
            old = self._home / str(number)
            if not (old / MODEL_INFO).is_file():
                continue
            # Never half a version under its number, which servers may be told to load.
            removed = self._partial()
            try:
                old.rename(removed)
            except OSError as error:
                LOG.warning("version %d stays, it cannot be removed: %s", number, _reason(error))
            else:
                shutil.rmtree(removed, ignore_errors=True)
                LOG.info("removed version %d: the newest %d are kept", number, kept)

    def _write(self, files: Mapping[str, Path]) -> int:
        number = max(versions_in(self._home), default=0) + 1
        partial = self._partial()
        try:
            for name, path in files.items():
                target = partial / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
            _flush(partial)
            _rename(partial, self._home / str(number))
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return number

    def _partial(self) -> Path:
        return self._home / f"{_PARTIAL}{uuid.uuid4().hex}"

    @contextlib.contextmanager
    def _lock(self) -> Iterator[bool]:
        """Hold the folder's lock; yields False where there are no locks.

        The system releases it with the process, however that ends.
        """
        with (self._home / _LOCK).open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                locked = True
            except BlockingIOError:
                LOG.info("waiting for another publish to %s", self._home)
                fcntl.flock(file, fcntl.LOCK_EX)
                locked = True
            except OSError:
                locked = False
            yield locked

    def _remove_leftovers(self) -> None:
        """Remove copies whose process died; safe under the lock, which every copier holds."""
        for partial in self._home.glob(f"{_PARTIAL}*"):
            LOG.info("removing %s, left by a publish that was stopped", partial)
            shutil.rmtree(partial, ignore_errors=True)


def _rename(partial: Path, version: Path) -> None:
    """Give a whole copy its number, unless another has it, as can be where nothing locks."""
    try:
        partial.rename(version)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        raise not_compared(str(version)) from None
    _flush_folder(version.parent)


def not_compared(version: str) -> PipelineError:
    """What to say where a version has come that nobody has compared the model with."""
    return PipelineError(
        f"{version} is what is published now, and not what this model was compared with: give "
        "the same command again, which compares the two"
    )


def _flush(folder: Path) -> None:
    """Have everything on disk before the name that says so, in case the power fails."""
    for path in (*folder.rglob("*"), folder):
        if path.is_dir():
            _flush_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot
            os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"
