"""What a generator has of each class."""

from types import ModuleType

import keras

from components.shared.generators import CLASS_LATENTS

CLASS = "class"  # with which the names of layers begin that have weights of each class


class OfClass:
    """What a generator has of each class: a number for each channel, say."""

    def __init__(self, labels: keras.KerasTensor, classes: int, layers: ModuleType) -> None:
        """Take the input of labels, int32 [B]; `layers` is where Embedding comes from."""
        self.labels = labels
        self._classes, self._layers = classes, layers

    def move(self, latents: keras.KerasTensor) -> keras.KerasTensor:
        """Move latents, float32 [B, n], by a vector of the class.

        That is random at first, so that classes differ from the first step on: to learn it takes
        long where a class is seldom seen. The sum has the variance of latents.
        """
        first = keras.initializers.RandomNormal(stddev=1.0)
        vectors = self._of_each(CLASS_LATENTS, latents.shape[-1], first, "float32")
        moved = keras.layers.Add(dtype="float32")([latents, vectors])
        return keras.layers.Rescaling(0.5**0.5, dtype="float32")(moved)

    def scale_and_shift(
        self, hidden: keras.KerasTensor, where: str, dtype: str | keras.DTypePolicy
    ) -> keras.KerasTensor:
        """Have each class change the channels of a layer: [B, …, C], the same."""
        width = hidden.shape[-1]
        shape = [1] * (len(hidden.shape) - 2) + [width]
        scale, shift = (
            keras.layers.Reshape(shape, dtype=dtype)(
                self._of_each(f"{CLASS}_{kind}_{where}", width, first, dtype)
            )
            for kind, first in (("scale", "ones"), ("shift", "zeros"))
        )
        hidden = keras.layers.Multiply(dtype=dtype)([hidden, scale])
        return keras.layers.Add(dtype=dtype)([hidden, shift])

    def _of_each(
        self,
        name: str,
        width: int,
        first: str | keras.initializers.Initializer,
        dtype: str | keras.DTypePolicy,
    ) -> keras.KerasTensor:
        """Numbers of the class of each picture: [B, width]; `first` initialises them."""
        return self._layers.Embedding(
            self._classes, width, embeddings_initializer=first, dtype=dtype, name=name
        )(self.labels)
