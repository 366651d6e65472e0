"""What is published: the versions of a model, and the champion, which is the newest.

The layout is TensorFlow Serving's, <root>/<name>/<version>/; names that are no numbers
are none of its versions. The root is a folder, `gs://…` or `s3://…`. A version in a folder
is whole; one in a bucket is one only when it holds its last file.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from components.shared.buckets import client_for, explaining, is_remote, names_below, try_to_write
from components.shared.contracts import BASE, GENERATOR, MODEL_INFO
from components.shared.errors import UsageError

LAST_FILE = "saved_model.pb"  # without which no server loads a version
WITHDRAWN = "withdrawn"  # in a version's model.json: digests of models never to publish again


class Published(NamedTuple):
    """A version that this pipeline published."""

    address: str  # its folder's path, or its address in a bucket
    version: int
    digest: str  # of the generator's weights
    withdrawn: tuple[str, ...] = ()  # digests of models that were rolled back


def home_of(publish_root: str | Path, name: str) -> str:
    """Path or address of a model's versions."""
    return f"{str(publish_root).rstrip('/')}/{name}"


def champion_in(home: str | Path) -> Published | None:
    """Find the newest version of a model, the one that is served.

    Args:
        home: Folder or address of the model under the publish root; it need not exist.

    Returns:
        None where there is no version, or the newest was not made by this pipeline.

    Raises:
        UsageError: The bucket cannot be read.
    """
    newest = max(versions_in(home), default=None)
    return None if newest is None else published_in(home, newest)


def published_in(home: str | Path, version: int) -> Published | None:
    """Read what a version is; None where it was not made by this pipeline."""
    address = f"{home}/{version}"
    info = info_of(address)
    if not isinstance(digest := info.get("digest"), str):
        return None
    withdrawn = info.get(WITHDRAWN, [])
    if not isinstance(withdrawn, list) or not all(isinstance(one, str) for one in withdrawn):
        return None
    return Published(address, version, digest, tuple(withdrawn))


def info_of(address: str | Path) -> dict[str, Any]:
    """Read a version's model.json; empty where there is none that can be read."""
    try:
        with local_copy(f"{address}/{MODEL_INFO}") as path:
            info = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return {}
    return info if isinstance(info, dict) else {}


def versions_in(home: str | Path) -> list[int]:
    """Numbers of a model's versions, in no order; none where there is no such folder.

    Raises:
        UsageError: The bucket cannot be listed.
    """
    if is_remote(home):
        with explaining(f"cannot see what is published in {home}"):
            paths = (name.partition("/") for name in names_below(str(home)))
        names = [version for version, _, file in paths if file == LAST_FILE]
    else:
        try:
            names = [path.name for path in Path(home).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
    return [int(name) for name in names if is_version(name)]


def is_version(name: str) -> bool:
    """Whether a name is a number as servers read it."""
    return name.isascii() and name.isdigit()


def refuse_unwritable(home: str) -> None:
    """Raise UsageError for a place that no version could be published in.

    It leaves nothing there; of a bucket in which nothing may be removed, one empty object.

    Args:
        home: Folder or address of the model under the publish root; it need not exist.
    """
    if is_remote(home):
        with explaining(f"cannot publish to {home}"):
            try_to_write(home)
        return
    try:
        folder = next(path for path in (Path(home), *Path(home).parents) if path.exists())
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot publish to {home}: {error.strerror} ({error.filename}): make it writable, or "
            "choose another publish root"
        ) from None


def refuse_no_model(source: str, home: str) -> None:
    """Raise UsageError where `train.warm_start` names a place without a model.

    A training would begin with random weights there, and nobody notice. Only where this run
    publishes there need not be one yet, before the first of a series of runs.

    Args:
        source: What it names; empty and `BASE` are no place.
        home: Folder or address that this run publishes to.

    Raises:
        UsageError: There is none, or the bucket cannot be read.
    """
    if source in {"", BASE}:
        return
    source = source.rstrip("/")
    champion = champion_in(source)
    if _is_file(f"{champion.address if champion else source}/{GENERATOR}"):
        return
    if versions_in(source):
        raise UsageError(
            f"train.warm_start: the newest version in {source} has no {GENERATOR}, or no "
            f"{MODEL_INFO} that can be read: it was not made by this pipeline, or is damaged; "
            "name another model, or none"
        )
    if _without_links(source) != _without_links(home):
        raise UsageError(
            f"train.warm_start: there is no model at {source}: name the folder or address of a "
            f"published one, or of one of its versions, the folder of a run, or {BASE}"
        )


def _is_file(address: str) -> bool:
    if not is_remote(address):
        return Path(address).is_file()
    with explaining(f"cannot read {address}"):
        try:
            client_for(address).info(address)
        except FileNotFoundError:
            return False
    return True


def _without_links(place: str) -> str:
    place = place.rstrip("/")
    return place if is_remote(place) else str(Path(place).resolve())


@contextlib.contextmanager
def local_folder(address: str) -> Iterator[Path]:
    """Yield a version as a local folder, to be read only while the block runs.

    It is the folder itself, and a copy of one in a bucket.

    Raises:
        UsageError: The bucket cannot be read.
    """
    if not is_remote(address):
        yield Path(address)
        return
    with tempfile.TemporaryDirectory() as folder:
        with explaining(f"cannot read {address}"):
            for name in names_below(address):
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                client_for(address).get_file(f"{address}/{name}", str(path))
        yield Path(folder)


@contextlib.contextmanager
def local_copy(address: str | Path) -> Iterator[Path]:
    """Yield a published file as a local path, to be read only while the block runs.

    It is the file itself in a folder, and a copy of one in a bucket. Where there is no such
    file, nothing is at that path.

    Raises:
        UsageError: The bucket cannot be read.
    """
    if not is_remote(address):
        yield Path(address)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, str(address).rpartition("/")[2])
        with explaining(f"cannot read {address}"), contextlib.suppress(FileNotFoundError):
            client_for(str(address)).get_file(str(address), str(path))
        yield path
