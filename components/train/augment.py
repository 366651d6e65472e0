"""What is changed at random about the pictures that the discriminator sees.

Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training"
(https://arxiv.org/abs/2006.10738, §3.2): real and fake pictures alike are changed at
random, and gradients pass through the change to the generator.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from components.train.replicas import own_draws

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
    mirrored = _draw(1, images, seed)[0] < 0.5
    columns = tf.range(images.shape[2])
    columns = tf.where(mirrored, columns[::-1], columns)
    return tf.gather(images, columns, axis=2, batch_dims=1)


def _color(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shift brightness by ±0.5, scale saturation by 0 to 2 and contrast by 0.5 to 1.5.

    Saturation moves a pixel away from its grey, contrast away from the picture's mean. All
    three together are one matrix and one offset a picture: a single pass over the pixels.
    """
    draws = _draw(3, images, seed)[..., tf.newaxis]
    brightness, saturation, contrast = draws[0] - 0.5, 2 * draws[1], draws[2] + 0.5
    pixels = tf.reshape(images, [-1, images.shape[1] * images.shape[2], 3])
    matrix = contrast * (saturation * tf.eye(3) + (1 - saturation) / 3)
    mean = tf.reduce_mean(pixels, axis=[1, 2], keepdims=True)
    pixels = tf.matmul(pixels, matrix) + ((1 - contrast) * mean + brightness)
    return tf.reshape(pixels, tf.shape(images))


def _translation(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shift by up to an eighth of the side each way."""
    reach = int(images.shape[1] * _TRANSLATION + 0.5)
    shifts = _draw(2, images, seed + [0, 1], -reach, reach + 1, tf.int32)

    # The gradient is the shift back, which TensorFlow would make a slower scatter of.
    @tf.custom_gradient
    def shift(images: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        return _shifted(images, shifts, reach), lambda at: _shifted(at, -shifts, reach)

    return shift(images)


def _shifted(images: tf.Tensor, shifts: tf.Tensor, reach: int) -> tf.Tensor:
    """Shift rows and columns by `shifts`, int32 [2, B, 1], of up to `reach` pixels."""
    rows, columns = tf.unstack(tf.range(images.shape[1]) + shifts + reach)
    images = tf.pad(images, [[0, 0], [reach, reach], [reach, reach], [0, 0]])
    images = tf.gather(images, rows, axis=1, batch_dims=1)
    return tf.gather(images, columns, axis=2, batch_dims=1)


def _cutout(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Cut out a square of half the side, whose centre is anywhere in the picture."""
    size = images.shape[1]
    cut = int(size * _CUTOUT + 0.5)
    starts = _draw(2, images, seed + [1, 0], -(cut // 2), size - cut // 2 + 1, tf.int32)
    places = tf.range(size) - starts
    rows, columns = tf.unstack(tf.cast((places >= 0) & (places < cut), images.dtype))
    return images * (1 - rows[:, :, None, None] * columns[:, None, :, None])


def _draw(count: int, images: tf.Tensor, seed: tf.Tensor, *options: object) -> tf.Tensor:
    """Draw uniformly, `count` numbers for each picture: [count, B, 1]."""
    return own_draws(
        lambda rows: tf.random.stateless_uniform([count, rows, 1], seed, *options),
        images.shape[0],
        axis=1,
    )
