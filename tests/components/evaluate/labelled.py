"""Pictures of three classes, and generators that draw by class."""

import keras
import numpy as np

from components.shared.generators import CLASS_LATENTS
from components.shared.pixels import normalize

_LATENT_SIZE = 8


def looks_of(faces):
    """The same faces as three classes: in red, in green and in blue."""
    weak = np.array([[1, 8, 8], [8, 1, 8], [8, 8, 1]], np.uint8)
    return [faces // one for one in weak]


def labelled_generator(banks, obeys=True, seed=1):
    """Picks a real picture for each latent, of uint8 [N, S, S, 3] for each class.

    One that does not obey picks among all of them, whatever the label.
    """
    pixels = normalize(np.concatenate(banks).astype(np.float32)).clip(-0.99, 0.99)
    count, *shape = pixels.shape
    classes = np.repeat(np.arange(len(banks)), [len(bank) for bank in banks])
    others = classes != np.arange(len(banks))[:, np.newaxis]

    latents, labels = keras.Input([_LATENT_SIZE]), keras.Input([], dtype="int32")
    table = keras.layers.Embedding(len(banks), count, name=CLASS_LATENTS)
    choice = keras.layers.Dense(
        count, kernel_initializer=keras.initializers.RandomNormal(stddev=100, seed=seed)
    )(latents)  # so wide that one wins
    choice = keras.layers.Softmax()(keras.layers.Add()([choice, table(labels)]))
    mix = keras.layers.Dense(int(np.prod(shape)), "tanh", use_bias=False)
    generator = keras.Model([latents, labels], keras.layers.Reshape(shape)(mix(choice)))
    mix.kernel.assign(np.arctanh(pixels).reshape(count, -1))
    table.embeddings.assign(-1e6 * others * obeys)
    return generator
