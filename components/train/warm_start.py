"""Begin a training with what a published generator has learned."""

import logging
from pathlib import Path

import keras
import numpy as np

from components.shared.contracts import GENERATOR
from components.shared.errors import UsageError, one_line
from components.shared.published import champion_in, local_copy, versions_in

LOG = logging.getLogger("dcgan.train")


def published_weights(path: str | Path, generator: keras.Model) -> list[np.ndarray] | None:
    """Read the weights of a published generator.

    Args:
        path: Folder or address of a published model, whose newest version is meant, or of one
            version.
        generator: The one that is to have them.

    Returns:
        As `generator.set_weights` takes them; None where nothing is published yet, as
        before the first of a series of runs.

    Raises:
        UsageError: It cannot be read, or is not of the same shape.
    """
    path = str(path).rstrip("/")
    champion = champion_in(path)
    file = f"{champion.address if champion else path}/{GENERATOR}"
    with local_copy(file) as copy:
        if not copy.exists() and versions_in(path):
            raise UsageError(
                f"train.warm_start: the newest version in {path} has no {GENERATOR}: it was not "
                "made by this pipeline, name another model, or none"
            )
        if not copy.exists():
            LOG.info("nothing is published in %s yet: starting from random weights", path)
            return None
        try:
            published = keras.models.load_model(copy, compile=False)
        except Exception as error:  # Keras has many for a file that it cannot read
            raise UsageError(
                f"train.warm_start: cannot read {file} ({one_line(error)}): name another model, "
                "or none"
            ) from error
    weights = published.get_weights()
    shapes = [[array.shape for array in each] for each in (weights, generator.get_weights())]
    if shapes[0] != shapes[1]:
        raise UsageError(
            f"train.warm_start: {file} draws {_what(published)}, and this training's generator "
            f"{_what(generator)}: give train.latent_size, base_width, kernel_size and upsampling, "
            "and ingest.image_size, the values of that model, or none to warm_start"
        )
    LOG.info("starting from the weights of %s", file)
    return weights


def _what(generator: keras.Model) -> str:
    height, width = generator.output_shape[1:3]
    return (
        f"{width}×{height} pictures from {generator.input_shape[-1]} numbers by "
        f"{generator.count_params():,} weights"
    )
