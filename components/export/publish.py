"""Publishing: a blessed model becomes the next version that TensorFlow Serving loads.

The layout is TensorFlow Serving's, <root>/<name>/<version>/saved_model.pb; it serves the
highest number and ignores names that are none. The model's other files lie beside. So going
back makes a new version, too: a copy of an older one. TensorFlow is not imported here.
"""

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from components.export.in_bucket import BucketHome
from components.export.in_folder import FolderHome, not_compared
from components.shared.buckets import is_remote
from components.shared.contracts import MODEL_INFO, SAVED_MODEL
from components.shared.errors import NotBlessed, UsageError
from components.shared.files import read_json, write_json
from components.shared.published import (
    WITHDRAWN,
    champion_in,
    home_of,
    local_folder,
    published_in,
    versions_in,
)

LOG = logging.getLogger("dcgan.publish")


class RolledBack(NamedTuple):
    """Numbers of versions."""

    version: int  # the new one, served now
    copied: int  # an older one, of which that is a copy
    withdrawn: int  # served until now


def publish(
    model: Path,
    publish_root: str | Path,
    comparison: Mapping[str, Any],
    beside: Mapping[str, Path],
    *,
    versions_kept: int,
) -> str:
    """Copy a blessed model to the next version folder, whole or not at all.

    Args:
        model: Folder written by export.
        publish_root: Folder, `gs://…` or `s3://…` above the models, each in a folder of its name.
        comparison: What compare found: `blessed`, `reason`, and `champion`, the digest of
            the published model that this one was judged better than, or None.
        beside: Files to lie beside the model, by their names there: its card, and what it
            learned from, for later pictures to be held against.
        versions_kept: Newest versions that stay; older ones that this pipeline made are removed.

    Returns:
        The version's folder or address; the newest one, and nothing is written, where that holds
        the same weights already.

    Raises:
        NotBlessed: The comparison did not bless the model, or it was withdrawn by a rollback.
        PipelineError: The newest version is neither this model nor `champion`, or another
            publish is under way or took this one's place.
        UsageError: The publish root cannot be written, or is full.
    """
    info = read_json(model / MODEL_INFO)
    name = info["name"]
    if not comparison["blessed"]:
        raise NotBlessed(f"{name} is not published, not blessed: {comparison['reason']}")
    address = home_of(publish_root, name)
    home = _open(address)
    with home.next_version() as write:
        newest = champion_in(address)
        if newest and newest.digest == info["digest"]:
            LOG.info("%s is published already, as version %d", name, newest.version)
            return newest.address
        if newest and info["digest"] in newest.withdrawn:
            raise NotBlessed(
                f"{name} is not published: this very model was withdrawn from {address} by a "
                "rollback; train another one, or publish it under another export.model_name"
            )
        if newest and newest.digest != comparison["champion"]:
            raise not_compared(newest.address)
        info[WITHDRAWN] = list(newest.withdrawn) if newest else []
        with _with_info(_files_of(model) | dict(beside), info) as files:
            version = write(files)
        LOG.info("%s is published as version %d", name, version)
        home.tidy(versions_kept)
    return f"{address}/{version}"


def roll_back(publish_root: str | Path, name: str) -> RolledBack:
    """Publish the version before the newest once more, and withdraw the newest.

    A model that was withdrawn is neither gone back to nor published again.

    Args:
        publish_root: Folder above the models, or a bucket's prefix.
        name: Of the model.

    Raises:
        PipelineError: Another publish is under way.
        UsageError: There is nothing to go back to, or the publish root cannot be written.
    """
    address = home_of(publish_root, name)
    if not versions_in(address):
        raise UsageError(
            f"nothing is published in {address}: name the model by --publish-root and --name"
        )
    home = _open(address)
    with home.next_version() as write:
        newest = champion_in(address)
        if newest is None:
            raise UsageError(
                f"version {max(versions_in(address))} in {address} was not made by this "
                "pipeline: remove it by hand to go back"
            )
        withdrawn = [*newest.withdrawn, newest.digest]
        older = sorted(version for version in versions_in(address) if version < newest.version)
        found = (published_in(address, version) for version in reversed(older))
        before = next((one for one in found if one and one.digest not in withdrawn), None)
        if before is None:
            raise UsageError(
                f"nothing to go back to in {address}: version {newest.version} is the only one "
                "that was not withdrawn"
            )
        with local_folder(before.address) as folder:
            info = read_json(folder / MODEL_INFO) | {WITHDRAWN: withdrawn}
            with _with_info(_files_below(folder), info) as files:
                version = write(files)
    return RolledBack(version, before.version, newest.version)


def _open(address: str) -> FolderHome | BucketHome:
    return BucketHome(address) if is_remote(address) else FolderHome(Path(address))


def _files_of(model: Path) -> dict[str, Path]:
    """The files of a version by their paths in it: what the SavedModel holds, the rest beside."""
    beside = {path.name: path for path in model.iterdir() if path.is_file()}
    return _files_below(model / SAVED_MODEL) | beside


def _files_below(folder: Path) -> dict[str, Path]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths}


@contextlib.contextmanager
def _with_info(files: Mapping[str, Path], info: dict[str, Any]) -> Iterator[dict[str, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, MODEL_INFO)
        write_json(path, info)
        yield {**files, MODEL_INFO: path}
