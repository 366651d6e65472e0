"""Whether pictures change step by step on the way from one latent to another.

The question is that of the perceptual path length (Karras et al. 2019, §4.1,
https://arxiv.org/abs/1812.04948), with steps that uint8 pictures can show, and measured in
pixels: features magnify small changes. On a trained generator, halving the steps from a
quarter of the way to an eighth, a sixteenth and a thirty-second gave largest steps of .48,
.29, .16 and .08 of the way in pixels, and .80, .65, .46 and .30 in features of
EfficientNet-Lite0.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from components.shared.latents import slerp

WAYS = 16  # the rows of a batch are these at one step, then these at the next
_STEPS = 16
_JUMP = 0.5  # of the whole way


def smoothness(draw: Callable[[np.ndarray], np.ndarray | None], latent_size: int) -> dict[str, Any]:
    """Walk between pairs of latents, and measure the steps.

    Args:
        draw: float32 [B, latent_size] → uint8 [B, S, S, 3]; None where not finite. Row i is of
            way i modulo `WAYS`.
        latent_size: Of the generator.

    Returns:
        steps: How many a way has.
        largest_step: Over the distance between the two ends, the median over ways;
            1/steps where all are even and straight, 1 where the picture jumps. None where
            there is nothing to measure.
        sentence: The same in words.
    """
    start, end = np.random.default_rng(0).standard_normal((2, WAYS, latent_size))
    way = [slerp(start, end, step / _STEPS) for step in range(_STEPS + 1)]
    pictures = draw(np.concatenate(way).astype(np.float32))
    if pictures is None:
        return _found(None, "the pictures between latents are not finite numbers")
    pixels = pictures.reshape(_STEPS + 1, WAYS, -1).astype(np.float32)
    steps = np.linalg.norm(np.diff(pixels, axis=0), axis=2).max(axis=0)
    whole = np.linalg.norm(pixels[-1] - pixels[0], axis=1)
    moved = whole > 0
    if not moved.any():
        return _found(None, "different latents give the same picture")
    largest = float(np.median(steps[moved] / whole[moved]))
    how = "smooth" if largest < _JUMP else "jumpy"
    return _found(
        largest,
        f"the way between latents is {how}: its largest step is {largest:.2f} of it",
    )


def _found(largest: float | None, sentence: str) -> dict[str, Any]:
    return {"steps": _STEPS, "largest_step": largest, "sentence": sentence}
