"""Publishing: a blessed model becomes the next version that TensorFlow Serving loads.

The layout is TensorFlow Serving's, <root>/<name>/<version>/saved_model.pb; it serves the
highest number and ignores names that are none. The model's other files lie beside.
TensorFlow is not imported here.
"""

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from components.shared.contracts import GENERATOR, GIF, MODEL_CARD, MODEL_INFO, SAVED_MODEL
from components.shared.errors import NotBlessed, PipelineError, UsageError
from components.shared.files import read_json
from components.shared.published import champion_in, versions_in

LOG = logging.getLogger("dcgan.publish")

_LOCK = ".lock"
_PARTIAL = ".publishing-"
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def publish(
    model: Path,
    publish_root: str | Path,
    champion: str | None = None,
    data: Iterable[Path] = (),
    *,
    versions_kept: int,
) -> str:
    """Copy a blessed model to the next version folder, whole or not at all.

    Args:
        model: Folder written by export.
        publish_root: Folder above the models, each in a folder of its name.
        champion: Digest of the published model that this one was judged better than;
            None where there was none.
        data: Files that say what it learned from, for later pictures to be held against.
        versions_kept: Newest versions that stay; older ones that this pipeline made are removed.

    Returns:
        The version folder; the newest one, and nothing is written, where that holds
        the same weights already.

    Raises:
        NotBlessed: Evaluation did not bless the model.
        PipelineError: The newest version is neither this model nor `champion`.
        UsageError: The publish root cannot be written, or is full.
    """
    info = read_json(model / MODEL_INFO)
    if not info["blessed"]:
        raise NotBlessed(f"{info['name']} is not published, not blessed: {info['blessed_reason']}")
    home = Path(publish_root, info["name"])
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _lock(home) as locked:
            if locked:
                _remove_leftovers(home)
            version = _publish_next(model, info, home, champion, data)
            _remove_old(home, versions_kept)
            return str(version)
    except OSError as error:
        raise UsageError(
            f"cannot publish to {home}: {_reason(error)}; make it writable and make room "
            "there, or choose another publish root"
        ) from error


def _publish_next(
    model: Path, info: dict[str, Any], home: Path, champion: str | None, data: Iterable[Path]
) -> Path:
    newest = champion_in(home)
    if newest and newest.digest == info["digest"]:
        LOG.info("%s is published already, as version %d", info["name"], newest.version)
        return newest.folder
    if newest and newest.digest != champion:
        raise _not_compared(newest.folder)

    version = home / str(max(versions_in(home), default=0) + 1)
    partial = home / f"{_PARTIAL}{uuid.uuid4().hex}"
    try:
        shutil.copytree(model / SAVED_MODEL, partial)
        for path in (*(model / name for name in (GENERATOR, MODEL_CARD, MODEL_INFO, GIF)), *data):
            shutil.copy2(path, partial)
        _flush(partial)
        _rename(partial, version)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    LOG.info("%s is published as version %s", info["name"], version.name)
    return version


def _rename(partial: Path, version: Path) -> None:
    """Give a whole copy its number, unless another has it, as can be where nothing locks."""
    try:
        partial.rename(version)
    except OSError as error:
        if error.errno not in _TAKEN:
            raise
        raise _not_compared(version) from None
    _flush_folder(version.parent)


def _not_compared(version: Path) -> PipelineError:
    return PipelineError(
        f"{version} is what is published now, and not what this model was compared with: give "
        "the same command again, which compares the two"
    )


@contextlib.contextmanager
def _lock(home: Path) -> Iterator[bool]:
    """Hold the lock of a model's folder; yields False where there are no locks.

    The system releases it with the process, however that ends.
    """
    with (home / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            locked = True
        except BlockingIOError:
            LOG.info("waiting for another publish to %s", home)
            fcntl.flock(file, fcntl.LOCK_EX)
            locked = True
        except OSError:
            locked = False
        yield locked


def _remove_leftovers(home: Path) -> None:
    """Remove copies whose process died; safe under the lock, which every copier holds."""
    for partial in home.glob(f"{_PARTIAL}*"):
        LOG.info("removing %s, left by a publish that was stopped", partial)
        shutil.rmtree(partial, ignore_errors=True)


def _remove_old(home: Path, kept: int) -> None:
    """Remove what is older than the newest versions; what others made stays."""
    for number in sorted(versions_in(home))[:-kept]:
        old = home / str(number)
        if not (old / MODEL_INFO).is_file():
            continue
        # Never half a version under its number, which servers may be told to load.
        removed = home / f"{_PARTIAL}{uuid.uuid4().hex}"
        try:
            old.rename(removed)
        except OSError as error:
            LOG.warning("version %d stays, it cannot be removed: %s", number, _reason(error))
        else:
            shutil.rmtree(removed, ignore_errors=True)
            LOG.info("removed version %d: the newest %d are kept", number, kept)


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
    if isinstance(error, shutil.Error):  # copytree's: [(source, target, why), …]
        return str(error.args[0][0][2])
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"
