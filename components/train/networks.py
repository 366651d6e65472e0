"""Generator and discriminator of DCGAN (Radford et al. 2016, https://arxiv.org/abs/1511.06434, §3).

Both follow the write-up that this project reproduces: strided convolutions, batch
normalisation in the generator only, LeakyReLU and dropout in the discriminator. Widths
halve at each doubling of the resolution, from `base_width` at 4×4.
"""

import keras
import tensorflow as tf

from components.train.config import TrainConfig

_SMALLEST_SIDE = 4
_CHANNELS = 3


def build_generator(config: TrainConfig, image_size: int) -> keras.Model:
    """Build the generator.

    Returns:
        A functional model: float32 latents [B, latent_size] → float32 [B, S, S, 3] in
        [-1, 1], made of Keras' own layers, so that it loads without this package.
    """
    widths = _widths(config, image_size)
    latents = keras.Input([config.latent_size], name="latents")
    side = _SMALLEST_SIDE
    hidden = keras.layers.Dense(side * side * widths[0], use_bias=False)(latents)
    hidden = _normalise_and_activate(hidden, config)
    hidden = keras.layers.Reshape([side, side, widths[0]])(hidden)
    for width in widths[1:]:
        hidden = _upsample(config, width)(hidden)
        hidden = _normalise_and_activate(hidden, config)
    images = _upsample(config, _CHANNELS, activation="tanh", name="images")(hidden)
    return keras.Model(latents, images, name="generator")


class Discriminator(keras.Model):
    """Float32 images [B, S, S, 3] in [-1, 1] → logits [B, 1], real above 0.

    It has no batch normalisation: each logit depends on its own picture alone, which
    `losses.generator_gradient_scale` relies on.
    """

    def __init__(self, config: TrainConfig, image_size: int) -> None:
        """Build all weights at once, so that checkpoints can be restored into them."""
        super().__init__(name="discriminator")
        self._dropout = config.dropout
        self._slope = config.leaky_slope
        self.convolutions = [
            keras.layers.Conv2D(width, config.kernel_size, strides=2, padding="same")
            for width in reversed(_widths(config, image_size))
        ]
        self.flatten = keras.layers.Flatten()
        self.logit = keras.layers.Dense(1)
        self(tf.zeros([1, image_size, image_size, _CHANNELS]))

    def call(self, images: tf.Tensor, dropout_seed: tf.Tensor | None = None) -> tf.Tensor:
        """Judge pictures; drop units only when given a seed, int64 [2]."""
        hidden = images
        for index, convolution in enumerate(self.convolutions):
            hidden = tf.nn.leaky_relu(convolution(hidden), self._slope)
            if dropout_seed is not None and self._dropout:
                hidden = tf.nn.experimental.stateless_dropout(
                    hidden, self._dropout, seed=dropout_seed + [index, 0], rng_alg="philox"
                )
        return self.logit(self.flatten(hidden))


def _widths(config: TrainConfig, image_size: int) -> list[int]:
    doublings = (image_size // _SMALLEST_SIDE).bit_length() - 1
    return [max(config.base_width >> index, _SMALLEST_SIDE) for index in range(doublings)]


def _upsample(config: TrainConfig, width: int, **options: str) -> keras.layers.Layer:
    return keras.layers.Conv2DTranspose(
        width, config.kernel_size, strides=2, padding="same", use_bias=False, **options
    )


def _normalise_and_activate(hidden: keras.KerasTensor, config: TrainConfig) -> keras.KerasTensor:
    # Statistics are those of the whole batch, also where replicas share it.
    shared = tf.distribute.get_strategy().num_replicas_in_sync > 1
    hidden = keras.layers.BatchNormalization(
        momentum=config.batch_norm_momentum, synchronized=shared
    )(hidden)
    return keras.layers.LeakyReLU(negative_slope=config.leaky_slope)(hidden)
