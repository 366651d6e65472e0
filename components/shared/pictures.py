"""Pictures as a person sees them: laid out in grids, thinned to a few of many."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

_GAP = 2  # pixels between two pictures
_BACKGROUND = 255

T = TypeVar("T")


def grid(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Lay pictures out row by row.

    Args:
        pictures: uint8 [N, H, W, 3], N ≥ 1.
        columns: Pictures a row; the last row may be shorter.

    Returns:
        uint8 [rows·(H + 2) + 2, columns·(W + 2) + 2, 3], white between the pictures.
    """
    count, height, width, channels = pictures.shape
    size = grid_size(count, height, width, columns)
    sheet = np.full((*size, channels), _BACKGROUND, np.uint8)
    for index, picture in enumerate(pictures):
        top = index // columns * (height + _GAP) + _GAP
        left = index % columns * (width + _GAP) + _GAP
        sheet[top : top + height, left : left + width] = picture
    return sheet


def grid_size(count: int, height: int, width: int, columns: int) -> tuple[int, int]:
    """Height and width of such a grid, in pixels."""
    rows = -(-count // columns)
    return rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP


def save_png(path: Path, picture: np.ndarray) -> None:
    """Save a uint8 [H, W, 3] array as PNG."""
    Image.fromarray(picture).save(path, format="PNG", optimize=True)


def thin(items: Sequence[T], most: int) -> list[T]:
    """Choose at most `most` (≥ 2) items, evenly spread, the first and last among them."""
    if len(items) <= most:
        return list(items)
    return [items[index * (len(items) - 1) // (most - 1)] for index in range(most)]
