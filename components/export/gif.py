"""The GIF of the generator learning: one frame per sheet of samples."""

from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from components.shared.contracts import epoch_of
from components.shared.pictures import thin

_WIDEST = 400  # pixels; wider sheets (of 128 and 256 pixel pictures) are shrunk to stay small
_COLOURS = 256
_PALETTE_FRAMES = 8  # spread over the training; more of them change nothing one can see
_SMALLEST_TEXT = 11  # pixels


def write_gif(
    target: Path, sheets: Sequence[Path], *, frames: int, frame_ms: int, hold_ms: int
) -> int:
    """Write an endlessly looping GIF with the epoch under each frame.

    All frames share one palette: colours do not flicker, and writing is ten times
    faster than with a palette each. GIF counts time in hundredths of a second, so
    the times are rounded down to 10 ms.

    Args:
        target: File to write.
        sheets: Pictures of one size in the order of their epochs, at least one.
        frames: Most frames; more sheets are thinned evenly, first and last kept.
        frame_ms: Time a frame is shown, ms.
        hold_ms: Time the last frame is shown, ms.

    Returns:
        Number of frames written.
    """
    drawn = [_draw_frame(path) for path in thin(sheets, frames)]
    palette = _shared_palette(drawn)
    # imageio takes arrays, which carry no palette. Pillow finds the colours of each
    # frame again without loss, since there are no more of them than it may use.
    pixels = [
        np.asarray(frame.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB"))
        for frame in drawn
    ]
    durations = [frame_ms] * (len(pixels) - 1) + [hold_ms]
    duration = durations if len(pixels) > 1 else hold_ms  # Pillow takes no list for one frame
    iio.imwrite(target, pixels, plugin="pillow", extension=".gif", duration=duration, loop=0)
    return len(pixels)


def _draw_frame(path: Path) -> Image.Image:
    with Image.open(path) as file:
        sheet = file.convert("RGB")
    sheet = sheet.reduce(-(-sheet.width // _WIDEST))
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


def _shared_palette(frames: Sequence[Image.Image]) -> Image.Image:
    chosen = thin(frames, _PALETTE_FRAMES)
    stacked = Image.fromarray(np.concatenate([np.asarray(frame) for frame in chosen]))
    return stacked.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT)
