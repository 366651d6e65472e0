"""Pictures of a trained generator, as arrays and files."""

import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from components.shared.contracts import MOST_PICTURES
from components.shared.errors import UsageError, one_line
from components.shared.pictures import grid, grid_size
from pipeline.generators import Generator, largest

FORMATS: dict[str, dict[str, Any]] = {  # ending → how Pillow saves it
    ".png": {"format": "PNG", "optimize": True},
    ".jpg": {"format": "JPEG", "quality": 95},
    ".jpeg": {"format": "JPEG", "quality": 95},
    ".webp": {"format": "WEBP", "lossless": True},
}
_MOST_PIXELS = {".jpg": 65_500, ".jpeg": 65_500, ".webp": 16_383}  # wide or high
_USUAL_MOST = 256  # pixels; larger pictures are of no training of ours
_MOST_ROWS = 16  # of a grid with a row a class


class Choice(NamedTuple):
    """Which pictures to draw."""

    classes: Sequence[str | None]  # of each equally many; None for what the generator draws itself
    numbers: Sequence[int] = ()  # of these, where several classes are shown
    said: str = ""  # a line for people


def choose(generator: Generator, count: int, class_name: str | None) -> Choice:
    """Choose the class that is named, or, of a generator with classes, the largest ones.

    Raises:
        UsageError: `count` pictures of each are too many in all.
    """
    classes = generator.classes if class_name is None else {}
    if not classes:
        return Choice([class_name])
    shown = largest(classes)[:_MOST_ROWS]
    if (all_in_all := len(shown) * count) > MOST_PICTURES:
        raise UsageError(
            f"--count {count:,}: for each of {len(shown)} classes that is {all_in_all:,} pictures, "
            f"and {MOST_PICTURES:,} is the most: lower it, or name one --class"
        )
    number = {name: place for place, name in enumerate(classes)}
    named = ", ".join(f"{one_line(name)} ({number[name]})" for name in shown)
    more = len(classes) - len(shown)
    rest = f"; not the {more:,} smaller ones: see --class" if more else ""
    said = f"{count} of each class, from the largest on: {named}{rest}"
    return Choice(shown, [number[name] for name in shown], said)


def draw(
    generator: Generator,
    count: int,
    seed: int,
    truncation: float,
    classes: Sequence[str | None] = (None,),
) -> np.ndarray:
    """Draw `count` pictures of each class, the same latents for each.

    Args:
        generator: What draws.
        count: Pictures of a class.
        seed: Of the latents.
        truncation: What they are multiplied by.
        classes: Names, or None for what the generator draws by itself.

    Returns:
        uint8 [N·count, H, W, 3], class by class.
    """
    pngs = [
        png for name in classes for png in generator.draw(count, seed, truncation, class_name=name)
    ]
    return np.stack([np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in pngs])


def check_grid(
    out: Path, count: int, draw_one: Callable[[], np.ndarray], columns: int | None = None
) -> None:
    """Raise UsageError, before many are drawn, for a grid that its format cannot hold.

    Args:
        out: File, whose ending names the format.
        count: Pictures in the grid.
        draw_one: Gives one, uint8 [1, H, W, 3]; called only where its size decides.
        columns: Pictures a row; None for a grid as wide as high.
    """
    columns = columns or _columns(count)
    if _too_large(out, count, _USUAL_MOST, _USUAL_MOST, columns):
        _, height, width, _ = draw_one().shape
        if problem := _too_large(out, count, height, width, columns):
            raise UsageError(problem)


def save_grid(pictures: np.ndarray, out: Path, columns: int | None = None) -> None:
    """Save uint8 [N, H, W, 3] as one file; UsageError if it cannot.

    Args:
        pictures: Row by row.
        out: Its ending names the format; without one, it is a PNG.
        columns: Pictures a row; None for a grid as wide as high.
    """
    count, height, width, _ = pictures.shape
    columns = columns or _columns(count)
    if problem := _too_large(out, count, height, width, columns):
        raise UsageError(problem)
    try:
        sheet = Image.fromarray(grid(pictures, columns))
        sheet.save(out, **FORMATS[out.suffix.lower() or ".png"])
    except OSError as error:
        raise UsageError(f"cannot write --out {out}: {error.strerror}") from None


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def _too_large(out: Path, count: int, height: int, width: int, columns: int) -> str | None:
    """What is wrong about a grid of so many pictures of this size as this file."""
    ending = out.suffix.lower()
    high, wide = grid_size(count, height, width, columns)
    if max(high, wide) <= (most := _MOST_PIXELS.get(ending, math.inf)):
        return None
    return (
        f"--out {out}: {count:,} pictures make a grid of {wide:,}×{high:,} pixels, and {ending} "
        f"holds at most {most:,}: end it in .png, pass --out-dir, or lower --count"
    )


def save_each(pictures: np.ndarray, out_dir: Path, classes: Sequence[int] = ()) -> None:
    """Save each of uint8 [N, H, W, 3]; UsageError if it cannot.

    Args:
        pictures: Class by class, equally many of each.
        out_dir: Where `sample-0000.png`, … are to be.
        classes: Numbers of the classes, which the names then begin with: `class-7-sample-0000.png`.
            (A name may have signs that no file may.)
    """
    starts = [f"class-{number}-" for number in classes] or [""]
    each = len(pictures) // len(starts)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        for index, picture in enumerate(pictures):
            place, number = divmod(index, each)
            Image.fromarray(picture).save(out_dir / f"{starts[place]}sample-{number:04d}.png")
    except OSError as error:
        raise UsageError(f"cannot write to --out-dir {out_dir}: {error.strerror}") from None
