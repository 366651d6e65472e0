"""Pictures from a trained generator, here or behind an endpoint."""

import contextlib
import io
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from components.shared.contracts import GENERATE_PNG, GENERATOR, PNG_BYTES, SAVED_MODEL
from components.shared.errors import UsageError, one_line
from components.shared.pictures import grid, grid_size
from components.shared.published import LAST_FILE, local_copy, local_folder, versions_in

FORMATS: dict[str, dict[str, Any]] = {  # ending → how Pillow saves it
    ".png": {"format": "PNG", "optimize": True},
    ".jpg": {"format": "JPEG", "quality": 95},
    ".jpeg": {"format": "JPEG", "quality": 95},
    ".webp": {"format": "WEBP", "lossless": True},
}
_MOST_PIXELS = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}  # wide or high
_USUAL_MOST = 256  # pixels; larger pictures are of no training of ours


def draw(model: str, count: int, seed: int, truncation: float) -> list[bytes]:
    """Draw pictures on this machine, by the signature `generate_png` that export defines.

    Args:
        model: A run's folder, a published model's folder or address in a bucket, or that of
            one of its versions, a SavedModel, or a generator's .keras file. All of one
            generator draw the same.
        count: Pictures to draw, 1 to MOST_PICTURES.
        seed: Of the latents, 0 to 2³¹ - 1.
        truncation: What the latents are multiplied by.

    Returns:
        PNG files.

    Raises:
        UsageError: No model there, or one that cannot be used.
    """
    found = _find(model)
    with local_folder(found) as path:
        try:
            with _silent_stderr():
                drawn = _draw(path, count, seed, truncation)
        except (OSError, ValueError, LookupError) as error:
            raise UsageError(f"cannot use the model in {found}: {one_line(error)}") from None
    if drawn is None:
        raise UsageError(
            f"the SavedModel in {found} has no signature {GENERATE_PNG}: it is from before that "
            f"existed; {_instead(found)}"
        )
    return drawn


def decode(pngs: Sequence[bytes]) -> np.ndarray:
    """Decode N PNG files of one size: uint8 [N, H, W, 3]."""
    return np.stack([np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in pngs])


def check_grid(out: Path, count: int, draw_one: Callable[[], np.ndarray]) -> None:
    """Raise UsageError, before many are drawn, for a grid that its format cannot hold.

    Args:
        out: File, whose ending names the format.
        count: Pictures in the grid.
        draw_one: Gives one, uint8 [1, H, W, 3]; called only where its size decides.
    """
    if _too_large(out, count, _USUAL_MOST, _USUAL_MOST):
        _, height, width, _ = draw_one().shape
        if problem := _too_large(out, count, height, width):
            raise UsageError(problem)


def save_grid(pictures: np.ndarray, out: Path) -> None:
    """Save uint8 [N, H, W, 3] as one file, in a grid as wide as high; UsageError if it cannot.

    Its ending names the format; without one, it is a PNG.
    """
    count, height, width, _ = pictures.shape
    if problem := _too_large(out, count, height, width):
        raise UsageError(problem)
    try:
        sheet = Image.fromarray(grid(pictures, _columns(count)))
        sheet.save(out, **FORMATS[out.suffix.lower() or ".png"])
    except OSError as error:
        raise UsageError(f"cannot write --out {out}: {error.strerror}") from None


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def _too_large(out: Path, count: int, height: int, width: int) -> str | None:
    """What is wrong about a grid of so many pictures of this size as this file."""
    ending = out.suffix.lower()
    high, wide = grid_size(count, height, width, _columns(count))
    if max(high, wide) <= (most := _MOST_PIXELS.get(ending, math.inf)):
        return None
    return (
        f"--out {out}: {count:,} pictures make a grid of {wide:,}×{high:,} pixels, and {ending} "
        f"holds at most {most:,}: end it in .png, pass --out-dir, or lower --count"
    )


def save_each(pictures: np.ndarray, out_dir: Path) -> None:
    """Save each of uint8 [N, H, W, 3] as `sample-0000.png`, …; UsageError if it cannot."""
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for index, picture in enumerate(pictures):
            Image.fromarray(picture).save(out_dir / f"sample-{index:04d}.png")
    except OSError as error:
        raise UsageError(f"cannot write to --out-dir {out_dir}: {error.strerror}") from None


def _find(model: str) -> str:
    """The SavedModel's folder or address, or the .keras file."""
    if model.endswith(".keras") and Path(model).is_file():
        return model
    newest = max(versions_in(model), default="")
    for folder in (f"{model}/{SAVED_MODEL}", model, f"{model}/{newest}"):
        with local_copy(f"{folder}/{LAST_FILE}") as path:
            if path.is_file():
                return folder
    raise UsageError(
        f"no model in {model}: `dcgan run` makes one, runs/latest; else pass another run, or a "
        "published model, e.g. runs/published/dcgan"
    )


def _draw(model: Path, count: int, seed: int, truncation: float) -> list[bytes] | None:
    """Draw; None where the model has no such signature."""
    import tensorflow as tf

    try:
        if model.suffix == ".keras":
            from components.export.saved_model import load_generator, signatures_of

            signatures = signatures_of(load_generator(model))
        else:
            # The loaded object must outlive its signatures.
            loaded = tf.saved_model.load(str(model))
            signatures = loaded.signatures
        if GENERATE_PNG not in signatures:
            return None
        drawn: list[bytes] = (
            signatures[GENERATE_PNG](
                count=tf.constant(count), seed=tf.constant(seed), truncation=tf.constant(truncation)
            )[PNG_BYTES]
            .numpy()
            .tolist()
        )
    except tf.errors.OpError as error:
        raise ValueError(error.message) from None
    return drawn


def _instead(saved_model: str) -> str:
    """What to do about a SavedModel that is too old."""
    for folder in (Path(saved_model), Path(saved_model).parent):
        if (folder / GENERATOR).is_file():
            return f"its generator lies beside it: --model {folder / GENERATOR}"
    return "export it again"


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep TensorFlow's C++ start-up notes off the terminal; no log level reaches them.

    Nothing is lost: what goes wrong arrives as an exception.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
