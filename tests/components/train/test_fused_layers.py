"""The quicker layers against Keras' own, weight by weight."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.train import fused_layers
from components.train.config import TrainConfig
from components.train.networks import build_generator


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("shape", [[16, 3, 3, 5], [16, 7]], ids=str)
def test_batch_normalisation_is_that_of_keras(shape, dtype):
    inputs = 3 * tf.random.stateless_normal(shape, [0, 1]) + 1
    found = []
    for layers in (keras.layers, fused_layers):
        layer = layers.BatchNormalization(momentum=0.9, dtype=dtype)
        layer.build(shape)
        layer.set_weights([0.3 * np.arange(shape[-1]) + 1 for _ in layer.weights])
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=True)
            cubes = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 3)
        gradient = tape.gradient(cubes, inputs)
        still = layer(inputs, training=False)
        found.append([outputs, gradient, still, *layer.get_weights()])
    tolerance = 2e-6 if dtype == "float32" else 1e-2
    for pair in zip(*found, strict=True):
        expected, ours = (np.asarray(tf.cast(values, tf.float32)) for values in pair)
        np.testing.assert_allclose(ours, expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_weights_fit_a_generator_of_keras_own_layers(upsampling):
    config = TrainConfig(base_width=16, latent_size=8, upsampling=upsampling)
    ours = build_generator(config, 32, layers=fused_layers)
    theirs = build_generator(config, 32)
    theirs.set_weights(ours.get_weights())
    latents = tf.random.stateless_normal([4, 8], [0, 1])
    for training in (True, False):
        np.testing.assert_allclose(
            ours(latents, training=training), theirs(latents, training=training), atol=1e-5
        )
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
