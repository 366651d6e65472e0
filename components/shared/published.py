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

from components.shared.buckets import client_for, explaining, is_remote, names_below
from components.shared.contracts import MODEL_INFO

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
