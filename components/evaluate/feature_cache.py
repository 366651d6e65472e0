"""Features of real pictures, kept from run to run: they change only where the pictures do."""

import hashlib
import json
import os
import uuid
from pathlib import Path

import numpy as np

from components.evaluate.extractors.extractor import Extractor

_FOLDER = "features"
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
    folder = root / _FOLDER
    path = folder / f"{_key(pictures, extractor.description)}.npy"
    try:
        features = np.load(path)
        os.utime(path)
    except (OSError, ValueError, EOFError):  # not there, or damaged
        features = extractor(pictures)
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{uuid.uuid4().hex}.npy"
        np.save(partial, features)
        partial.replace(path)
        _remove_all_but_the_last_used(folder)
    return features


def _key(pictures: np.ndarray, description: dict[str, str]) -> str:
    header = json.dumps([description, pictures.shape], sort_keys=True).encode()
    return hashlib.sha256(header + b"\n" + pictures.tobytes()).hexdigest()


def _remove_all_but_the_last_used(folder: Path) -> None:
    used = {}
    for path in folder.glob("*.npy"):
        try:
            used[path] = path.stat().st_mtime_ns
        except FileNotFoundError:  # another run is at it, too
            continue
    for path in sorted(used, key=used.__getitem__)[:-_KEPT]:
        path.unlink(missing_ok=True)
