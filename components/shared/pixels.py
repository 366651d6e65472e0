"""The one definition of the pixel range: uint8 on disk, [-1, 1] in the networks.

Both functions use arithmetic alone, so they take NumPy arrays and tensors alike.
"""

from typing import Any

_CENTRE = 127.5  # half of 255: 0 → -1, 255 → 1


def normalize(pixels: Any) -> Any:
    """Map float pixels in [0, 255] to [-1, 1]."""
    return (pixels - _CENTRE) / _CENTRE


def denormalize(values: Any) -> Any:
    """Map [-1, 1] back to [0, 255], as floats; `normalization.to_pixels` gives uint8."""
    return values * _CENTRE + _CENTRE
