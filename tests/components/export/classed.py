"""A generator that draws by class, as the trainer makes it, with weights as trained ones are."""

import functools

import keras
import numpy as np

from components.shared.classes import Classes
from components.train.config import TrainConfig
from components.train.networks import build_generator

LATENT_SIZE = 12
IMAGE_SIZE = 32
# One is named by another's number, one by signs that no file's name may have.
NAMES = ("blå", "0", "a/b [c]\n", "rare")
CLASSES = Classes(NAMES, (10, 60, 29, 1))


@functools.cache
def make_generator() -> keras.Model:
    """Draw four classes: float32 [B, 12], int32 [B] → [-1, 1], [B, 32, 32, 3]."""
    config = TrainConfig(latent_size=LATENT_SIZE, base_width=16)
    made = build_generator(config, IMAGE_SIZE, classes=len(NAMES))
    random = np.random.default_rng(0)
    for variable in made.variables:
        low, high = (0.5, 1.5) if "variance" in variable.path else (-1, 1)
        variable.assign(random.uniform(low, high, variable.shape))
    return made
