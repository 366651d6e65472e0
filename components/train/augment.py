"""What is changed at random about the pictures that the discriminator sees.

Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training"
(https://arxiv.org/abs/2006.10738, §3.2): real and fake pictures alike are changed at
random, and gradients pass through the change to the generator.
"""

from collections.abc import Sequence

import tensorflow as tf

_TRANSLATION = 1 / 8  # of the side; the paper's ratios
_CUTOUT = 1 / 2


def augment(images: tf.Tensor, kinds: Sequence[str], seed: tf.Tensor) -> tf.Tensor:
    """Change each picture at random.

    Args:
        images: float32 [B, S, S, 3] in [-1, 1].
        kinds: Of "color", "translation" and "cutout", made in this order.
        seed: int64 [2]; the same seed gives the same changes.

    Returns:
        float32 [B, S, S, 3]; colours may leave [-1, 1], uncovered borders and what is cut
        out are 0.
    """
    if "color" in kinds:
        images = _color(images, seed)
    if "translation" in kinds:
        images = _translation(images, seed)
    if "cutout" in kinds:
        images = _cutout(images, seed)
    return images


def flip(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirror each picture, left to right, with probability one half.

    Args:
        images: float32 [B, S, S, 3].
        seed: int64 [2]; the same seed mirrors the same pictures.
    """
    mirrored = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed) < 0.5
    return tf.where(mirrored, tf.reverse(images, [2]), images)


def _color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shift brightness by ±0.5, scale saturation by 0 to 2 and contrast by 0.5 to 1.5."""
    draws = tf.random.stateless_uniform([3, tf.shape(images)[0], 1, 1, 1], seed)
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
    shifts = tf.random.stateless_uniform(
        [2, tf.shape(images)[0], 1], seed + [0, 1], -reach, reach + 1, tf.int32
    )
    # A row that would come from outside the picture has no one in it, hence zeros.
    rows, columns = tf.unstack(tf.one_hot(tf.range(size) + shifts, size))
    images = tf.einsum("bij,bjwc->biwc", rows, images)
    return tf.einsum("bij,bhjc->bhic", columns, images)


def _cutout(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Cut out a square of half the side, whose centre is anywhere in the picture."""
    size = images.shape[1]
    cut = int(size * _CUTOUT + 0.5)
    starts = tf.random.stateless_uniform(
        [2, tf.shape(images)[0], 1], seed + [1, 0], -(cut // 2), size - cut // 2 + 1, tf.int32
    )
    places = tf.range(size) - starts
    rows, columns = tf.unstack((places >= 0) & (places < cut))
    return tf.where(rows[:, :, None, None] & columns[:, None, :, None], 0.0, images)
