"""Pictures from a trained generator."""

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from components.shared.contracts import SAVED_MODEL
from components.shared.errors import UsageError, one_line
from components.shared.pictures import grid, save_png

_BATCH = 256  # pictures; at full width a larger batch would take gigabytes


def save_samples(model: Path, count: int, seed: int, out: Path) -> None:
    """Draw `count` pictures and save them as one PNG grid.

    Args:
        model: A run's folder, a published model's, or a SavedModel with a signature of
            latents, float32 [B, L], to images, uint8 [B, H, W, 3].
        count: Pictures to draw.
        seed: Of the latents, which are standard normal.
        out: PNG file to write.

    Raises:
        UsageError: No model there, or `out` cannot be written.
    """
    saved_model = _find(model)
    try:
        with _silent_stderr():
            images = _draw(saved_model, count, seed)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"cannot use the model in {saved_model}: {one_line(error)}") from None
    try:
        save_png(out, grid(images, columns=math.ceil(math.sqrt(count))))
    except OSError as error:
        raise UsageError(f"cannot write --out {out}: {error.strerror}") from None


def _find(model: Path) -> Path:
    versions = [path for path in model.glob("*") if path.name.isdecimal()]
    newest = max(versions, key=lambda path: int(path.name), default=model)
    for folder in (model / SAVED_MODEL, model, newest):
        if (folder / "saved_model.pb").is_file():
            return folder
    raise UsageError(f"no model in {model}: pass a run's folder, e.g. --model runs/latest")


def _draw(saved_model: Path, count: int, seed: int) -> np.ndarray:
    import tensorflow as tf

    # The loaded object must outlive its signature.
    loaded = tf.saved_model.load(str(saved_model))
    signature = loaded.signatures["serving_default"]
    latent_size = signature.structured_input_signature[1]["latents"].shape[1]
    latents = np.random.default_rng(seed).standard_normal((count, latent_size), np.float32)
    batches = [latents[start : start + _BATCH] for start in range(0, count, _BATCH)]
    drawn = [signature(latents=tf.constant(batch))["images"].numpy() for batch in batches]
    return np.concatenate(drawn)


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep TensorFlow's C++ start-up notes off the terminal; no log level reaches them.

    Nothing is lost: what goes wrong arrives as an exception.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
