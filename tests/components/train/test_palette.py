"""A palette: pictures mixed from few colours, by a generator that needs nothing of ours."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.train.config import TrainConfig
from components.train.networks import Discriminator, build_generator

_COLOURS = 5


@pytest.fixture(scope="module")
def generator():
    keras.utils.set_random_seed(3)
    config = TrainConfig(base_width=16, latent_size=7, palette=_COLOURS, upsampling="nearest")
    made = build_generator(config, 16)
    for weight in made.trainable_variables:  # biases and all
        weight.assign(np.random.default_rng(1).normal(0, 0.5, weight.shape))
    return made


@pytest.fixture(scope="module")
def latents():
    return np.random.default_rng(2).standard_normal([6, 7], np.float32)


def test_each_pixel_is_mixed_from_the_colours_of_its_picture(generator, latents):
    names = ("shares", "colours", "background", "images")
    parts = keras.Model(generator.input, [generator.get_layer(name).output for name in names])
    shares, colours, background, images = (part.numpy() for part in parts(latents))
    np.testing.assert_allclose(shares.sum(-1), 1, rtol=1e-5)
    coarse = background.reshape(6, 4, 4, 3)
    shaded = tf.image.resize(coarse, [16, 16], "bilinear").numpy()
    mixed = np.einsum("bhwk,bkc->bhwc", shares, colours.reshape(6, _COLOURS, 3))
    mixed += shares[..., :1] * shaded
    np.testing.assert_allclose(images, np.tanh(mixed), atol=1e-5)


def test_pictures_differ_in_their_colours(generator, latents):
    colours = keras.Model(generator.input, generator.get_layer("colours").output)(latents).numpy()
    assert colours.std(axis=0).min() > 0.01


def test_saved_generator_draws_the_same_without_this_package(generator, latents, tmp_path):
    generator.save(tmp_path / "generator.keras")
    np.save(tmp_path / "latents.npy", latents)
    code = (
        "import keras, numpy; model = keras.models.load_model('generator.keras', compile=False);"
        "numpy.save('images.npy', model(numpy.load('latents.npy')))"
    )
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "images.npy"), generator(latents).numpy(), atol=1e-6
    )


def test_discriminator_has_the_width_that_it_is_given():
    sizes = {
        width: Discriminator(TrainConfig(base_width=64, discriminator_width=width), 16)
        for width in (0, 32, 64)
    }
    count = {width: made.count_params() for width, made in sizes.items()}
    assert count[32] < count[0] == count[64]
