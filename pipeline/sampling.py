"""Pictures from a trained generator."""

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from components.shared.contracts import SAVED_MODEL
from components.shared.errors import UsageError
from components.shared.pictures import grid, save_png


def save_samples(model: Path, count: int, seed: int, out: Path) -> None:
    """Draw `count` pictures and save them as one PNG grid.

    Args:
        model: A run's folder, or a SavedModel with a signature of latents, float32
            [B, L], to images, uint8 [B, H, W, 3].
        count: Pictures to draw.
        seed: Of the latents, which are standard normal.
        out: PNG file to write.

    Raises:
        UsageError: No model there, or `out` cannot be written.
    """
    saved_model = model / SAVED_MODEL if (model / SAVED_MODEL).is_dir() else model
    if not (saved_model / "saved_model.pb").is_file():
        raise UsageError(f"no model in {model}: pass a run's folder, e.g. --model runs/latest")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"no such folder for --out {out}: make {out.absolute().parent} first")
    with _silent_stderr():
        import tensorflow as tf

        signature = tf.saved_model.load(str(saved_model)).signatures["serving_default"]
        latent_size = signature.structured_input_signature[1]["latents"].shape[1]
        latents = np.random.default_rng(seed).standard_normal((count, latent_size), np.float32)
        images = signature(latents=tf.constant(latents))["images"].numpy()
    save_png(out, grid(images, columns=math.ceil(math.sqrt(count))))


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
