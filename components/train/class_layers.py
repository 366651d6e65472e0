"""What a generator has of each class."""

from types import ModuleType

import keras

CLASS = "class"  # with which the names of layers begin that have weights of each class


class OfClass:
    """What a generator has of each class: a number for each channel, say."""

    def __init__(
        self,
        labels: keras.KerasTensor,
        classes: int,
        dtype: str | keras.DTypePolicy,
        layers: ModuleType,
    ) -> None:
        """Take the input of labels, int32 [B]; `layers` is where Embedding comes from."""
        self.labels = labels
        self._classes, self._dtype, self._layers = classes, dtype, layers

    def __call__(
        self, name: str, width: int, first: str, dtype: str | keras.DTypePolicy
    ) -> keras.KerasTensor:
        """Numbers of the class of each picture: [B, width]; `first` initialises them."""
        return self._layers.Embedding(
            self._classes, width, embeddings_initializer=first, dtype=dtype, name=name
        )(self.labels)

    def scale_and_shift(self, hidden: keras.KerasTensor, side: int) -> keras.KerasTensor:
        """Have each class change the channels of what was normalised: [B, …, C], the same."""
        width = hidden.shape[-1]
        shape = [1] * (len(hidden.shape) - 2) + [width]
        scale, shift = (
            keras.layers.Reshape(shape, dtype=self._dtype)(
                self(f"{CLASS}_{kind}_{side}", width, first, self._dtype)
            )
            for kind, first in (("scale", "ones"), ("shift", "zeros"))
        )
        hidden = keras.layers.Multiply(dtype=self._dtype)([hidden, scale])
        return keras.layers.Add(dtype=self._dtype)([hidden, shift])
