"""Differentiable augmentation of what the discriminator sees.

Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training"
(https://arxiv.org/abs/2006.10738, §3.2): real and fake pictures alike are changed at
random, and gradients pass through the change to the generator.
"""

from collections.abc import Sequence

import tensorflow as tf

from components.train.hardware import own_draws

_TRANSLATION = 1 / 8  # of the side; the paper's ratio


def augment(images: tf.Tensor, kinds: Sequence[str], seed: tf.Tensor) -> tf.Tensor:
    """Change each picture at random.

    Args:
        images: float32 [B, S, S, 3] in [-1, 1].
        kinds: Of "color" and "translation".
        seed: int64 [2]; the same seed gives the same changes.

    Returns:
        float32 [B, S, S, 3]; colours may leave [-1, 1], uncovered borders are 0.
    """
    if "color" in kinds:
        images = _color(images, seed)
    if "translation" in kinds:
        images = _translation(images, seed)
    return images


def _color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shift brightness by ±0.5, scale saturation by 0 to 2 and contrast by 0.5 to 1.5."""
    draws = own_draws(
        lambda rows: tf.random.stateless_uniform([3, rows, 1, 1, 1], seed),
        images.shape[0],
        axis=1,
    )
    brightness, saturation, contrast = tf.unstack(draws)
    images = images + (brightness - 0.5)
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = (images - grey) * (2 * saturation) + grey
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return (images - mean) * (contrast + 0.5) + mean


def _translation(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shift by up to an eighth of the side each way.

    As products with shifted identity matrices: the gradient is a product too, where that
    of a gather would be a slow scatter.
    """
    size = images.shape[1]
    reach = int(size * _TRANSLATION + 0.5)
    shifts = own_draws(
        lambda rows: tf.random.stateless_uniform(
            [2, rows, 1], seed + [0, 1], -reach, reach + 1, tf.int32
        ),
        images.shape[0],
        axis=1,
    )
    # A row that would come from outside the picture has no one in it, hence zeros.
    rows, columns = tf.unstack(tf.one_hot(tf.range(size) + shifts, size))
    images = tf.einsum("bij,bjwc->biwc", rows, images)
    return tf.einsum("bij,bhjc->bhic", columns, images)
