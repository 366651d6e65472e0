import numpy as np
import pytest
import tensorflow as tf

from components.train.config import TrainConfig
from components.train.losses import (
    discriminator_loss,
    generator_gradient_scale,
    generator_loss,
    one_pass_gradients,
    r1_penalty,
)
from components.train.networks import Discriminator, build_generator


def test_losses_are_binary_cross_entropies():
    real, fake = tf.constant([[0.3], [-1.0]]), tf.constant([[2.0], [-0.5]])
    entropy = tf.keras.losses.BinaryCrossentropy(from_logits=True)
    expected = entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)
    ours = discriminator_loss("non_saturating", real, fake)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)
    ours = generator_loss("non_saturating", fake)
    np.testing.assert_allclose(ours, entropy(tf.ones_like(fake), fake), rtol=1e-6)


def test_hinge_leaves_alone_what_is_beyond_the_margin():
    real, fake = tf.constant([[3.0], [0.5], [-2.0]]), tf.constant([[-3.0], [-0.5], [2.0]])
    loss = discriminator_loss("hinge", real, fake)
    np.testing.assert_allclose(loss, (0 + 0.5 + 3) / 3 + (0 + 0.5 + 3) / 3, rtol=1e-6)
    np.testing.assert_allclose(generator_loss("hinge", fake), (3 + 0.5 - 2) / 3, rtol=1e-6)


@pytest.mark.parametrize("kind", ["non_saturating", "hinge"])
@pytest.mark.parametrize("shift", [0.0, -8.0, 8.0], ids=["even", "D winning", "G winning"])
def test_one_pass_gives_the_gradients_of_two_tapes(kind, shift):
    config = TrainConfig(base_width=16, latent_size=4)
    generator, discriminator = build_generator(config, 32), Discriminator(config, 32)
    discriminator.biases[-1].assign([shift])
    latents = tf.random.stateless_normal([6, 4], [0, 1])
    real = tf.random.stateless_normal([6, 32, 32, 3], [0, 2])
    weights = [
        [variable.value for variable in network.trainable_variables]
        for network in (discriminator, generator)
    ]

    with tf.GradientTape() as discriminator_tape, tf.GradientTape() as generator_tape:
        fake_logits = discriminator(generator(latents, training=True))
        losses = (
            discriminator_loss(kind, discriminator(real), fake_logits),
            generator_loss(kind, fake_logits),
        )
    assert abs(float(tf.reduce_mean(fake_logits)) - shift) < 1, "the case is the one it names"
    two_tapes = discriminator_tape.gradient(losses[0], weights[0])
    two_tapes += generator_tape.gradient(losses[1], weights[1])

    with tf.GradientTape(persistent=True) as tape:
        fake = generator(latents, training=True)
        fake_logits = discriminator(fake)
        loss = discriminator_loss(kind, discriminator(real), fake_logits)
    one_pass, at_fake = one_pass_gradients(tape, kind, loss, weights[0], fake, fake_logits)
    one_pass += tape.gradient(fake, weights[1], output_gradients=at_fake)

    for ours, expected in zip(one_pass, two_tapes, strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("kind", ["non_saturating", "hinge"])
def test_gradient_at_fakes_is_exact_for_logits_far_and_near(kind):
    """The fakes are their own logits here, so that both sides are known in closed form."""
    fake = tf.linspace(-8.0, 8.0, 33)[:, None, None, None]
    gain = tf.ones([])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([fake, gain])
        logits = tf.reshape(gain * fake, [-1, 1])
        loss = discriminator_loss(kind, tf.zeros([1, 1]), logits)
    (at_gain,), at_fake = one_pass_gradients(tape, kind, loss, [gain], fake, logits)
    values = logits.numpy()[:, 0].astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-values))
    slopes = {"hinge": (values > -1, -np.ones(33)), "non_saturating": (sigmoid, sigmoid - 1)}
    of_discriminator, of_generator = slopes[kind]
    np.testing.assert_allclose(at_fake.numpy()[:, 0, 0, 0], of_generator / 33, rtol=1e-5)
    np.testing.assert_allclose(at_gain, np.mean(of_discriminator * values), rtol=1e-5)


def test_scale_stays_finite_where_the_discriminator_has_won():
    scale = generator_gradient_scale(tf.constant([[-1e4], [1e4]])).numpy()
    assert np.all(np.isfinite(scale))


def test_r1_is_half_the_squared_gradient():
    weight = tf.random.stateless_normal([32 * 32 * 3], [0, 3])

    def linear(images):
        return tf.linalg.matvec(tf.reshape(images, [-1, 32 * 32 * 3]), weight)

    penalty = r1_penalty(linear, tf.zeros([2, 32, 32, 3]))
    np.testing.assert_allclose(penalty, tf.reduce_sum(weight**2) / 2, rtol=1e-5)
