"""Losses of both networks, written on logits for numerical stability."""

import tensorflow as tf

from components.train.networks import Discriminator

# exp(60) and the gradient it multiplies, about exp(-60), are both normal float32 numbers.
# Below a logit of -60 the true gradient could not be carried through the first pass.
_LARGEST_EXPONENT = 60.0


def discriminator_loss(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy, real against 1 plus fake against 0 (Goodfellow et al. 2014, §3)."""
    return tf.reduce_mean(tf.nn.softplus(-real_logits)) + tf.reduce_mean(
        tf.nn.softplus(fake_logits)
    )


def generator_loss(fake_logits: tf.Tensor) -> tf.Tensor:
    """Binary cross-entropy, fake against 1: the non-saturating loss of the same section."""
    return tf.reduce_mean(tf.nn.softplus(-fake_logits))


def generator_gradient_scale(fake_logits: tf.Tensor) -> tf.Tensor:
    """Factor per fake that turns the discriminator's gradient into the generator's.

    With l the logit of a fake and σ the logistic function, ∂L_D/∂l = σ(l)/B and
    ∂L_G/∂l = (σ(l) − 1)/B, so that at the picture ∂L_G/∂x = −exp(−l) · ∂L_D/∂x. This
    spares a second pass through the discriminator. It is exact because a logit depends
    on its own picture alone.

    Args:
        fake_logits: float32 [B, 1].

    Returns:
        float32 [B, 1, 1, 1], to multiply with the gradient at the fakes.
    """
    scale = -tf.exp(tf.minimum(-fake_logits, _LARGEST_EXPONENT))
    return tf.reshape(scale, [-1, 1, 1, 1])


def r1_penalty(discriminator: Discriminator, real: tf.Tensor) -> tf.Tensor:
    """Half the mean squared gradient norm at real pictures, as shown: augmented, no dropout.

    R1 of Mescheder et al. 2018 (https://arxiv.org/abs/1801.04406, eq. 9), without its γ.
    """
    with tf.GradientTape() as tape:
        tape.watch(real)
        logits = tf.reduce_sum(discriminator(real))
    gradient = tape.gradient(logits, real)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3])) / 2
