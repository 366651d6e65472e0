"""Features of real pictures, kept from run to run: they change only where the pictures do.

The cache saves time and nothing else: what is damaged is made anew, and where nothing can
be written nothing is kept.
"""

import contextlib
import hashlib
import io
import json
import logging
import os
from pathlib import Path

import numpy as np

from components.evaluate.extractors.extractor import Extractor
from components.shared.errors import one_line

LOG = logging.getLogger("dcgan.evaluate")
_FOLDER = "features"
_DIGEST_BYTES = 32  # SHA-256 of what follows in a file, which is an .npy
_KEPT = 20  # of the files, the last used; each is d·4 bytes a picture


def cached_features(pictures: np.ndarray, extractor: Extractor, root: Path) -> np.ndarray:
    """Describe pictures, or read what was found of the same ones before.

    Args:
        pictures: uint8 [N, H, W, 3].
        extractor: Its description is part of the key.
        root: Folder that outlives the run.

    Returns:
        float32 [N, d].
    """
    path = root / _FOLDER / _key(pictures, extractor.description)
    features = _read(path)
    if features is None:
        features = extractor(pictures)
        try:
            _write(path, features)
            _remove_all_but_the_last_used(path.parent)
        except OSError as error:
            LOG.info("features are not kept: %s", one_line(error))
    return features


def _key(pictures: np.ndarray, description: dict[str, str]) -> str:
    header = json.dumps([description, pictures.shape], sort_keys=True).encode()
    return hashlib.sha256(header + b"\n" + pictures.tobytes()).hexdigest()


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
    features: np.ndarray = np.load(io.BytesIO(array))
    return features


def _write(path: Path, features: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, features)
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
