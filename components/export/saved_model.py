"""The SavedModel that TensorFlow Serving loads, and what identifies its weights."""

import hashlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components.shared.normalization import to_pixels

_SIGNATURE = "serving_default"
_INPUT = "latents"
_OUTPUT = "images"


def load_generator(path: Path) -> keras.Model:
    """Load a generator: float32 latents [B, latent_size] → [-1, 1], [B, H, W, 3]."""
    return keras.models.load_model(path, compile=False)


def write_saved_model(target: Path, generator: keras.Model) -> None:
    """Write a SavedModel that turns latents into uint8 pictures.

    Its signature `serving_default` maps `latents`, float32 [n, latent_size], to
    `images`, uint8 [n, H, W, 3]. It needs TensorFlow alone to be loaded.
    """

    def generate(latents: tf.Tensor) -> dict[str, tf.Tensor]:
        return {_OUTPUT: to_pixels(generator(latents, training=False))}

    latents = tf.TensorSpec([None, generator.input_shape[-1]], tf.float32, name=_INPUT)
    # Not keras.export.ExportArchive: Keras 3.15 writes every variable twice with it.
    module = tf.Module()
    module.weights = [variable.value for variable in generator.variables]
    signatures = {_SIGNATURE: tf.function(generate, input_signature=[latents])}
    tf.saved_model.save(module, str(target), signatures=signatures)


def describe(generator: keras.Model) -> str:
    """Shapes of the signature, e.g. ``latents [n, 100] -> images [n, 64, 64, 3]``."""
    latents, images = (
        ", ".join(str(size) for size in shape[1:])
        for shape in (generator.input_shape, generator.output_shape)
    )
    return f"{_INPUT} [n, {latents}] -> {_OUTPUT} [n, {images}]"


def weights_digest(generator: keras.Model) -> str:
    """SHA-256, in hexadecimal, over all variables, batch-norm statistics among them.

    Not over the .keras file: that is a zip with the time of writing in it.
    """
    digest = hashlib.sha256()
    for variable in generator.variables:
        values = np.ascontiguousarray(variable.numpy())
        digest.update(f"{values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
