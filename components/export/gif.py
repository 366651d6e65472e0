"""Writing GIFs that are small enough to send."""

import math
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from components.shared.pictures import thin

_WIDEST = 400  # pixels
_COLOURS = 256
_PALETTE_FRAMES = 8  # spread over the frames; more of them change nothing one can see
_MOST_BYTES = 5_000_000
_FRAMES_IN_THEM = 60  # the default; who asks for more frames gets a larger file, not a blurred one


def write_gif(
    target: Path, frames: Sequence[Image.Image], *, frame_ms: int, hold_ms: int
) -> tuple[int, int]:
    """Write an endlessly looping GIF of at most 5 MB; past 60 frames, 5 MB for each 60.

    All frames share one palette: colours do not flicker, and writing is ten times
    faster than with a palette each. GIF counts time in hundredths of a second, so
    the times are rounded down to 10 ms.

    Args:
        target: File to write.
        frames: RGB pictures of one size, at least one. They are made smaller where the
            file would be too large.
        frame_ms: Time a frame is shown, ms.
        hold_ms: Time the last frame is shown, ms.

    Returns:
        Width and height as written.
    """
    durations = [frame_ms] * (len(frames) - 1) + [hold_ms]
    duration = durations if len(frames) > 1 else hold_ms  # Pillow takes no list for one frame
    most = _MOST_BYTES * max(1, len(frames) / _FRAMES_IN_THEM)
    while True:
        pixels = _with_shared_palette(frames)
        iio.imwrite(target, pixels, plugin="pillow", extension=".gif", duration=duration, loop=0)
        size = target.stat().st_size
        if size <= most:
            return frames[0].size
        # Bytes go with the area, if not quite: aim a little lower, so that one time is enough.
        scale = 0.97 * math.sqrt(most / size)
        smaller = (int(scale * frames[0].width), int(scale * frames[0].height))
        frames = [frame.resize(smaller, Image.Resampling.LANCZOS) for frame in frames]


def shrink(picture: Image.Image) -> Image.Image:
    """Halve, third, … a picture that is wider than 400 pixels."""
    return picture.reduce(-(-picture.width // _WIDEST))


def _with_shared_palette(frames: Sequence[Image.Image]) -> list[np.ndarray]:
    chosen = thin(frames, _PALETTE_FRAMES)
    stacked = Image.fromarray(np.concatenate([np.asarray(frame) for frame in chosen]))
    # An octree is nearer to colourful pictures, but leaves 16 levels to grey ones.
    palette = stacked.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT)
    # imageio takes arrays, which carry no palette. Pillow finds the colours of each
    # frame again without loss, since there are no more of them than it may use.
    return [
        np.asarray(frame.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB"))
        for frame in frames
    ]
