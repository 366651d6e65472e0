"""Controls: pictures whose quality is known, scored beside the samples.

A score says little by itself. Each control has a sentence on how the samples compare.
"""

from typing import Any, NamedTuple, get_args

import numpy as np
from PIL import Image, ImageFilter

from components.evaluate.config import ControlName
from components.metrics.compared import Compared
from components.metrics.kid import kid_difference

_BLUR = 1 / 64  # standard deviation, of a picture's side
_COLLAPSED = 16  # one picture in so many is left
CONTROLS = FLOOR, BLURRED, COLLAPSED = get_args(ControlName)  # in the order of tables

BETTER, ALIKE, WORSE = "better", "alike", "worse"  # what samples are, held against a control


class Control(NamedTuple):
    """Pictures to score as if they had been generated."""

    pictures: np.ndarray  # uint8 [N, S, S, 3]
    words: str  # what they are


def controls_of(train_split: np.ndarray) -> dict[str, Control]:
    """Make the controls from real pictures of the training, uint8 [N, S, S, 3]."""
    count, side = train_split.shape[:2]
    left = max(1, count // _COLLAPSED)
    deviation = side * _BLUR
    few = np.resize(train_split[:left], train_split.shape)
    few_words = "one real picture" if left == 1 else f"{left} real pictures"
    return {
        FLOOR: Control(train_split, "real pictures"),
        BLURRED: Control(
            _blur(train_split, deviation), f"real pictures blurred by {deviation:g} px"
        ),
        COLLAPSED: Control(few, f"{few_words} repeated"),
    }


def sentence_on(words: str, control: Compared, samples: Compared | None) -> dict[str, Any]:
    """Say whether KID ranks samples above or below a control, both held against the same pictures.

    Where it cannot tell, they are as far from the real pictures; maybe in another way.
    `samples_are` is "better", "worse" or, where it cannot tell, "alike"; None without samples.
    """
    if samples is None:
        return {
            "difference": None, "difference_interval": None, "samples_are": None,
            "sentence": f"not held against {words}: the samples are not finite",
        }  # fmt: skip
    difference = kid_difference(samples, control)
    if abs(difference.value) <= difference.interval:
        samples_are, sentence = ALIKE, f"KID cannot tell the samples from {words}"
    else:
        samples_are = WORSE if difference.value > 0 else BETTER
        sentence = f"by KID the samples are {samples_are} than {words}"
    return {
        "difference": difference.value, "difference_interval": difference.interval,
        "samples_are": samples_are, "sentence": sentence,
    }  # fmt: skip


def _blur(pictures: np.ndarray, deviation: float) -> np.ndarray:
    blur = ImageFilter.GaussianBlur(deviation)
    return np.stack([np.asarray(Image.fromarray(picture).filter(blur)) for picture in pictures])
