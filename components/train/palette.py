"""Pictures as drawings: a few colours, and for each pixel its share of each.

A generator that gives each pixel its own colour learns late that hair, skin and background are
each of one colour: to the end they are patchy. Here it says for each pixel how much it has of
which colour, and says the colours once a picture. Areas are even by construction, outlines are
as sharp as the shares, and the last layer says what a thing is, not how it looks.
"""

import keras

from components.train.class_layers import OfClass
from components.train.config import TrainConfig

_WIDTH = 64
_BACKGROUND_SIDE = 4
_CHANNELS = 3


def paint(
    shares: keras.KerasTensor,
    latents: keras.KerasTensor,
    config: TrainConfig,
    of_class: OfClass | None,
) -> keras.KerasTensor:
    """Mix each pixel from the colours of its picture.

    Args:
        shares: Logits [B, S, S, K] of what each pixel has of each of the K colours. The first
            colour is the background: a picture of 4×4, enlarged smoothly.
        latents: float32 [B, latent_size], which the colours are a function of.
        config: Settings of the training.
        of_class: What there is of each class, by which the colours go, too; None without classes.

    Returns:
        float32 [B, S, S, 3], not yet within [-1, 1].
    """
    side, count = shares.shape[1], config.palette
    hidden = latents
    for index in range(2):
        hidden = keras.layers.Dense(_WIDTH, name=f"colour_features_{index}")(hidden)
        if of_class:
            hidden = of_class.scale_and_shift(hidden, f"colour_{index}", "float32")
        hidden = keras.layers.LeakyReLU(negative_slope=config.leaky_slope)(hidden)
    colours = keras.layers.Dense(count * _CHANNELS, name="colours")(hidden)
    colours = keras.layers.Reshape([count, _CHANNELS])(colours)
    background = keras.layers.Dense(_BACKGROUND_SIDE**2 * _CHANNELS, name="background")(hidden)
    background = keras.layers.Reshape([_BACKGROUND_SIDE, _BACKGROUND_SIDE, _CHANNELS])(background)
    background = keras.layers.UpSampling2D(side // _BACKGROUND_SIDE, interpolation="bilinear")(
        background
    )

    shares = keras.layers.Softmax(dtype="float32", name="shares")(shares)
    mixed = keras.layers.Dot([2, 1])([keras.layers.Reshape([side * side, count])(shares), colours])
    mixed = keras.layers.Reshape([side, side, _CHANNELS])(mixed)
    shaded = keras.layers.Multiply()([shares[..., :1], background])
    return keras.layers.Add()([mixed, shaded])
