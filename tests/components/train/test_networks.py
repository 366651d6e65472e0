import keras
import numpy as np
import pytest
import tensorflow as tf

from components.train.config import TrainConfig
from components.train.networks import Discriminator, build_generator


@pytest.mark.parametrize("image_size", [32, 64, 128, 256])
def test_both_networks_fit_every_image_size(image_size):
    config = TrainConfig(base_width=32, latent_size=7)
    images = build_generator(config, image_size)(tf.zeros([2, 7]))
    assert images.shape == (2, image_size, image_size, 3)
    assert Discriminator(config, image_size)(images).shape == (2, 1)


def test_default_networks_are_those_of_the_write_up():
    generator = build_generator(TrainConfig(), 64)
    kernels = [tuple(weight.shape) for weight in generator.trainable_weights if weight.ndim > 1]
    assert kernels == [
        (100, 4 * 4 * 1024), (5, 5, 512, 1024), (5, 5, 256, 512), (5, 5, 128, 256), (5, 5, 3, 128)
    ]  # fmt: skip
    discriminator = Discriminator(TrainConfig(), 64)
    shapes = [tuple(weight.shape) for weight in discriminator.trainable_weights]
    assert shapes == [
        (5, 5, 3, 128), (128,), (5, 5, 128, 256), (256,), (5, 5, 256, 512), (512,),
        (5, 5, 512, 1024), (1024,), (4 * 4 * 1024, 1), (1,),
    ]  # fmt: skip


def test_snapshot_loads_with_keras_alone(tmp_path):
    generator = build_generator(TrainConfig(base_width=16), 32)
    generator.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    latents = np.random.default_rng(0).standard_normal((3, 100), np.float32)
    np.testing.assert_array_equal(loaded(latents), generator(latents))


def test_dropout_is_a_function_of_its_seed():
    discriminator = Discriminator(TrainConfig(base_width=16, dropout=0.5), 32)
    images = tf.random.stateless_normal([4, 32, 32, 3], [0, 0])
    seed = tf.constant([1, 2], tf.int64)
    first = discriminator(images, dropout_seed=seed)
    np.testing.assert_array_equal(first, discriminator(images, dropout_seed=seed))
    assert np.any(first != discriminator(images, dropout_seed=seed + 1))
    assert np.any(first != discriminator(images))
