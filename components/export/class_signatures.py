"""What a SavedModel offers where its generator draws by class."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from components.shared.classes import Classes
from components.shared.contracts import CLASSES, GENERATE_CLASS_PNG, PNG_BYTES

IMAGES = "images"  # an output
SCALARS = [
    tf.TensorSpec([], tf.int32, name="count"),
    tf.TensorSpec([], tf.int32, name="seed"),
    tf.TensorSpec([], tf.float32, name="truncation"),
]
GENERATE_CLASS = "generate_class"
BY_SHARES = -1  # as the number of a class
_UNKNOWN = -2

Signatures = dict[str, Callable[..., dict[str, tf.Tensor]]]


def numbers_of(classes: Classes) -> dict[str, int]:
    """The number of a class by what it may be called: its name, else its number in digits.

    The empty text stands for a class drawn by the shares.
    """
    numbers = {str(number): number for number in range(len(classes.names))}
    return numbers | {name: number for number, name in enumerate(classes.names)} | {"": BY_SHARES}


class ByClass:
    """Tells in a graph which classes to draw."""

    def __init__(self, classes: Classes) -> None:
        """Make the table of the classes; a module must keep `numbers` for it to be saved."""
        self.classes = classes
        numbers = numbers_of(classes)
        pairs = tf.lookup.KeyValueTensorInitializer(
            [*numbers], [*numbers.values()], tf.string, tf.int32
        )
        self.numbers = tf.lookup.StaticHashTable(pairs, _UNKNOWN)
        # The last is 1, and no number that is drawn reaches it.
        self._edges = np.cumsum(classes.shares).astype(np.float32)

    def number(self, called: tf.Tensor) -> tf.Tensor:
        """Number of a class, int32 scalar, by `numbers_of`; what is none of them fails."""
        number = self.numbers.lookup(called)
        told = "class_name is none of those that the signature classes names, nor a number below"
        tf.debugging.Assert(number != _UNKNOWN, [f"{told} {len(self.classes.names)}:", called])
        return number

    def labels(
        self, number: tf.Tensor | int, seed: tf.Tensor, batch: tf.Tensor, count: int
    ) -> tf.Tensor:
        """Class of each picture of a batch.

        Args:
            number: Of the class asked for, or `BY_SHARES`; int32 scalar.
            seed: int32 scalar.
            batch: Its number, int32 scalar.
            count: Pictures in the batch.

        Returns:
            int32 [count].
        """
        # Batches count from 0, so that no latents are drawn by a negative one.
        drawn = tf.random.stateless_uniform([count], [seed, -1 - batch], alg="philox")
        by_shares = tf.searchsorted(self._edges, drawn, side="right")
        return tf.where(tf.equal(number, BY_SHARES), by_shares, number)


def class_signatures(
    by_class: ByClass, images: Callable[..., tf.Tensor], files: Callable[..., tf.Tensor]
) -> Signatures:
    """Make the functions that only a generator with classes has.

    Args:
        by_class: Its classes.
        images: Draws uint8 [count, H, W, 3] from count, seed, truncation and `number`.
        files: Draws PNG files, string [count], from the same.

    Returns:
        - `generate_class`: count, seed, truncation, and `class_name`, a string scalar as
          `numbers_of` has it (an input cannot be called `class`, Python's keyword) → `images`, uint8 [count, H, W, 3].
        - `generate_class_png`: the same → `png_bytes`, string [count].
        - `classes`: `count`, int32 scalar → of the first so many `names`, string [n], and
          `shares`, float32 [n]. It has an input because TensorFlow Serving wants one.
    """

    def generate_class(
        count: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor, class_name: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return {IMAGES: images(count, seed, truncation, number=by_class.number(class_name))}

    def generate_class_png(
        count: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor, class_name: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return {PNG_BYTES: files(count, seed, truncation, number=by_class.number(class_name))}

    def classes(count: tf.Tensor) -> dict[str, tf.Tensor]:
        first = tf.maximum(count, 0)
        return {
            "names": tf.constant(by_class.classes.names)[:first],
            "shares": tf.constant(by_class.classes.shares, tf.float32)[:first],
        }

    asked = [*SCALARS, tf.TensorSpec([], tf.string, name="class_name")]
    return {
        GENERATE_CLASS: tf.function(generate_class, asked, autograph=False),
        GENERATE_CLASS_PNG: tf.function(generate_class_png, asked, autograph=False),
        CLASSES: tf.function(classes, SCALARS[:1], autograph=False),
    }
