import numpy as np
import pytest
import tensorflow as tf

from components.train.config import TrainConfig
from components.train.losses import (
    discriminator_loss,
    generator_gradient_scale,
    generator_loss,
    r1_penalty,
)
from components.train.networks import Discriminator, build_generator


def test_losses_are_binary_cross_entropies():
    real, fake = tf.constant([[0.3], [-1.0]]), tf.constant([[2.0], [-0.5]])
    entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    expected = entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)
    np.testing.assert_allclose(discriminator_loss(real, fake), expected, rtol=1e-6)
    np.testing.assert_allclose(generator_loss(fake), entropy(tf.ones_like(fake), fake), rtol=1e-6)


@pytest.mark.parametrize("shift", [0.0, -8.0, 8.0], ids=["even", "D winning", "G winning"])
def test_one_pass_gives_the_gradients_of_two_tapes(shift):
    config = TrainConfig(base_width=16, latent_size=4)
    generator, discriminator = build_generator(config, 32), Discriminator(config, 32)
    discriminator.logit.bias.assign([shift])
    latents = tf.random.stateless_normal([6, 4], [0, 1])
    real = tf.random.stateless_normal([6, 32, 32, 3], [0, 2])
    weights = generator.trainable_variables

    with tf.GradientTape() as tape:
        loss = generator_loss(discriminator(generator(latents, training=True)))
    two_tapes = tape.gradient(loss, weights)

    with tf.GradientTape(persistent=True) as tape:
        fake = generator(latents, training=True)
        fake_logits = discriminator(fake)
        loss = discriminator_loss(discriminator(real), fake_logits)
    at_fake = tape.gradient(loss, fake) * generator_gradient_scale(fake_logits)
    one_pass = tape.gradient(fake, weights, output_gradients=at_fake)

    for ours, expected in zip(one_pass, two_tapes, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * scale)


def test_scale_stays_finite_where_the_discriminator_has_won():
    scale = generator_gradient_scale(tf.constant([[-1e4], [1e4]])).numpy()
    assert np.all(np.isfinite(scale))


def test_r1_is_half_the_squared_gradient():
    weight = tf.random.stateless_normal([32 * 32 * 3], [0, 3])

    def linear(images):
        return tf.linalg.matvec(tf.reshape(images, [-1, 32 * 32 * 3]), weight)

    penalty = r1_penalty(linear, tf.zeros([2, 32, 32, 3]))
    np.testing.assert_allclose(penalty, tf.reduce_sum(weight**2) / 2, rtol=1e-5)
