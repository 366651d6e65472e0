"""The generator learning: one frame per sheet of samples."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from components.export.gif import shrink
from components.shared.contracts import epoch_of
from components.shared.pictures import thin

_SMALLEST_TEXT = 11  # pixels


def progress_frames(sheets: Sequence[Path], most: int) -> list[Image.Image]:
    """Draw the sheets with the epoch under each, RGB.

    Args:
        sheets: Pictures of one size in the order of their epochs, at least one.
        most: Most frames; more sheets are thinned evenly, first and last kept.
    """
    return [_draw_frame(path) for path in thin(sheets, most)]


def _draw_frame(path: Path) -> Image.Image:
    with Image.open(path) as file:
        sheet = shrink(file.convert("RGB"))
    text_size = max(_SMALLEST_TEXT, sheet.width // 24)
    frame = Image.new("RGB", (sheet.width, sheet.height + text_size + 6), "white")
    frame.paste(sheet)
    ImageDraw.Draw(frame).text(
        (4, sheet.height + 1),
        f"epoch {epoch_of(path)}",
        fill="black",
        font=ImageFont.load_default(text_size),
    )
    return frame
