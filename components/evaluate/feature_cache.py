"""Features of real pictures, and what the pairs among them come to, kept from run to run.

The cache saves time and nothing else: what is damaged is made anew, and where nothing can
be written nothing is kept.
"""

import contextlib
import hashlib
import io
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from components.metrics.extractor import Extractor
from components.metrics.feature_set import FeatureSet, Within
from components.shared.errors import one_line

LOG = logging.getLogger("dcgan.evaluate")
_FOLDER = "features"
_DIGEST_BYTES = 32  # SHA-256 of what follows in a file, which is an .npy
_KEPT = 40  # of the files, the last used; two a set of pictures, d·4 and 16 bytes a picture


def cached_feature_set(
    pictures: np.ndarray, extractor: Extractor, neighbours: int, root: Path
) -> FeatureSet:
    """Describe pictures, or read what was found of the same ones before.

    Args:
        pictures: uint8 [N, H, W, 3], N > `neighbours`.
        extractor: Its description is part of the key.
        neighbours: k, of their balls.
        root: Folder that outlives the run.
    """
    path = root / _FOLDER / _key(pictures, extractor.description)
    features = _kept(path, lambda: extractor(pictures))

    def walk() -> np.ndarray:
        return np.stack(FeatureSet(features, neighbours).within)

    within = _kept(path.with_name(f"{path.name}-{neighbours}"), walk)
    return FeatureSet(features, neighbours, Within(*within))


def _kept(path: Path, make: Callable[[], np.ndarray]) -> np.ndarray:
    array = _read(path)
    if array is None:
        array = make()
        try:
            _write(path, array)
            _remove_all_but_the_last_used(path.parent)
        except OSError as error:
            LOG.info("features are not kept: %s", one_line(error))
    return array


def _key(pictures: np.ndarray, description: dict[str, str]) -> str:
    header = json.dumps([description, pictures.shape], sort_keys=True).encode()
    digest = hashlib.sha256(header + b"\n")
    digest.update(np.ascontiguousarray(pictures).data)  # as bytes they would be there twice
    return digest.hexdigest()


def _read(path: Path) -> np.ndarray | None:
    """What `_write` wrote; None where there is no such file, or it is not whole."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, array = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(array).digest() != digest:
        return None
    with contextlib.suppress(OSError):  # it is another user's
        os.utime(path)
    found: np.ndarray = np.load(io.BytesIO(array))
    return found


def _write(path: Path, values: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values)
    array = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(hashlib.sha256(array).digest() + array)  # half of it is no match


def _remove_all_but_the_last_used(folder: Path) -> None:
    used = {}
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another run is at it, too
            used[path] = path.stat().st_mtime_ns
    for path in sorted(used, key=used.__getitem__)[:-_KEPT]:
        path.unlink(missing_ok=True)
