"""From pixels to the networks and back, with TensorFlow alone."""

from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from components.shared.contracts import IMAGE, LABEL, TRANSFORM_FN
from components.shared.pixels import denormalize


def load_transform_graph(folder: Path) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    """Load the graph that transform wrote.

    Returns:
        A function from raw uint8 pixels, string [B], to the graph's outputs; under
        `IMAGE` float32 [B, H, W, 3] in [-1, 1].
    """
    loaded = tf.saved_model.load(str(folder / TRANSFORM_FN))
    ((inputs,), _) = loaded.transform_fn.structured_input_signature

    def apply(images: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {IMAGE: images}
        if LABEL in inputs:  # on which no picture depends
            features[LABEL] = tf.zeros_like(images, tf.int64)
        outputs: dict[str, tf.Tensor] = loaded.transform_fn(features)
        return outputs

    return apply


def to_pixels(values: tf.Tensor) -> tf.Tensor:
    """Round what a generator gives, float32 [B, H, W, 3] in [-1, 1], to uint8 pixels."""
    return tf.cast(tf.clip_by_value(tf.round(denormalize(values)), 0, 255), tf.uint8)
