"""Losses of both networks, written on logits for numerical stability."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from components.train.config import Loss

# exp(60) and the gradient it multiplies, about exp(-60), are both normal float32 numbers.
# Below a logit of -60 the true gradient could not be carried through the first pass.
_LARGEST_EXPONENT = 60.0


def discriminator_loss(kind: Loss, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Mean loss over real pictures plus that over fakes.

    Binary cross-entropy, real against 1 and fake against 0 (Goodfellow et al. 2014, §3); or
    hinge: no loss above 1 and below -1 (Lim & Ye 2017, https://arxiv.org/abs/1705.02894, §3).
    """
    if kind == "hinge":
        of_real, of_fake = tf.nn.relu(1 - real_logits), tf.nn.relu(1 + fake_logits)
    else:
        of_real, of_fake = tf.nn.softplus(-real_logits), tf.nn.softplus(fake_logits)
    return tf.reduce_mean(of_real) + tf.reduce_mean(of_fake)


def generator_loss(kind: Loss, fake_logits: tf.Tensor) -> tf.Tensor:
    """Mean loss over fakes, of the same sources.

    Binary cross-entropy, fake against 1, which does not saturate; or hinge: minus the logit.
    """
    return tf.reduce_mean(-fake_logits if kind == "hinge" else tf.nn.softplus(-fake_logits))


def one_pass_gradients(
    tape: tf.GradientTape,
    kind: Loss,
    loss: tf.Tensor,
    weights: Sequence[tf.Tensor],
    fake: tf.Tensor,
    fake_logits: tf.Tensor,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Gradients of both networks' losses from one forward pass through the discriminator.

    Cross-entropy needs one backward pass too. Hinge needs a second, to the pictures alone:
    where a fake's logit is below -1 the discriminator's loss has no gradient to rescale.

    Args:
        tape: A persistent tape that saw the pass from `fake` to `loss`.
        kind: The loss.
        loss: The discriminator's loss, a scalar.
        weights: The discriminator's.
        fake: Pictures [B, S, S, 3], as the generator made them.
        fake_logits: float32 [B, 1], each of its own picture alone.

    Returns:
        The gradients of `loss` at `weights`, and that of the generator's loss at `fake`.
    """
    if kind == "hinge":
        with tf.GradientTape() as inner:
            inner.watch(fake_logits)
            of_generator = generator_loss(kind, fake_logits)
        slope = inner.gradient(of_generator, fake_logits)
        at_fake = tape.gradient(fake_logits, fake, output_gradients=slope)
        return tape.gradient(loss, weights), at_fake
    *gradients, at_fake = tape.gradient(loss, [*weights, fake])
    return gradients, at_fake * generator_gradient_scale(fake_logits)


def generator_gradient_scale(fake_logits: tf.Tensor) -> tf.Tensor:
    """Factor per fake that turns the discriminator's gradient into the generator's.

    For the cross-entropies. With l the logit of a fake and σ the logistic function,
    ∂L_D/∂l = σ(l)/B and ∂L_G/∂l = (σ(l) − 1)/B, so that at the picture
    ∂L_G/∂x = −exp(−l) · ∂L_D/∂x. This spares a second pass through the discriminator. It is
    exact because a logit depends on its own picture alone.

    Args:
        fake_logits: float32 [B, 1].

    Returns:
        float32 [B, 1, 1, 1], to multiply with the gradient at the fakes.
    """
    scale = -tf.exp(tf.minimum(-fake_logits, _LARGEST_EXPONENT))
    return tf.reshape(scale, [-1, 1, 1, 1])


def r1_penalty(judge: Callable[[tf.Tensor], tf.Tensor], real: tf.Tensor) -> tf.Tensor:
    """Half the mean squared gradient norm at real pictures, as shown: augmented, no dropout.

    R1 of Mescheder et al. 2018 (https://arxiv.org/abs/1801.04406, eq. 9), without its γ.

    Args:
        judge: float32 [B, S, S, 3] → logits [B, 1], each of its own picture alone.
        real: float32 [B, S, S, 3].
    """
    with tf.GradientTape() as tape:
        tape.watch(real)
        logits = tf.reduce_sum(judge(real))
    gradient = tape.gradient(logits, real)
    return tf.reduce_mean(tf.reduce_sum(tf.square(gradient), axis=[1, 2, 3])) / 2
