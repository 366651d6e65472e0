"""The frames of the GIF as a WebP, which loses nothing, or as a video, which is small."""

from collections.abc import Callable, Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from PIL import Image

from components.export.config import Animation


def write_animation(
    target: Path, kind: Animation, frames: Sequence[Image.Image], *, frame_ms: int, hold_ms: int
) -> None:
    """Write an animation, the last frame held.

    A WebP has every pixel as it is and loops endlessly. An MP4 is H.264 in 4:2:0 (yuv420p),
    which every browser plays; that wants even sizes, so the last row and column are repeated
    where they are odd. Its frames come at one rate, so the last one is shown for a multiple of
    `frame_ms`.

    Args:
        target: File to write.
        kind: What to write.
        frames: RGB pictures of one size, at least one.
        frame_ms: Time a frame is shown, ms.
        hold_ms: Time the last frame is shown, ms.
    """
    _WRITERS[kind](target, frames, frame_ms, hold_ms)


def _write_webp(target: Path, frames: Sequence[Image.Image], frame_ms: int, hold_ms: int) -> None:
    first, *rest = frames
    durations = [frame_ms] * len(rest) + [hold_ms]
    first.save(
        target, "WEBP", lossless=True, save_all=True, append_images=rest, duration=durations, loop=0
    )


def _write_mp4(target: Path, frames: Sequence[Image.Image], frame_ms: int, hold_ms: int) -> None:
    pictures = [_even(np.asarray(frame)) for frame in frames]
    held = pictures[-1:] * max(1, round(hold_ms / frame_ms))
    iio.imwrite(
        target, pictures[:-1] + held, plugin="pyav", extension=".mp4", codec="libx264",
        fps=1000 / frame_ms, out_pixel_format="yuv420p",
    )  # fmt: skip


def _even(picture: np.ndarray) -> np.ndarray:
    height, width, _ = picture.shape
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


_WRITERS: dict[Animation, Callable[[Path, Sequence[Image.Image], int, int], None]] = {
    "webp": _write_webp,
    "mp4": _write_mp4,
}
