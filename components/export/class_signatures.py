"""What a SavedModel offers where its generator draws by class."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from components.shared.classes import BY_SHARES, Classes, numbers_of
from components.shared.contracts import (
    CLASS_NAME,
    CLASSES,
    GENERATE_CLASS,
    GENERATE_CLASS_PNG,
    IMAGES,
    PNG_BYTES,
)

SCALARS = [
    tf.TensorSpec([], tf.int32, name="count"),
    tf.TensorSpec([], tf.int32, name="seed"),
    tf.TensorSpec([], tf.float32, name="truncation"),
]
_UNKNOWN = -2

Signatures = dict[str, Callable[..., dict[str, tf.Tensor]]]


class ByClass:
    """Tells in a graph which classes to draw."""

    def __init__(self, classes: Classes) -> None:
        """Know what they are called, and their shares."""
        self.classes = classes
        self._numbers = numbers_of(classes.names)
        # The last is 1, and no number that is drawn reaches it.
        self._edges = np.cumsum(classes.shares).astype(np.float32)

    def number(self, called: tf.Tensor | str) -> tf.Tensor:
        """Number of a class, int32 scalar, by `numbers_of`; what is none of them is refused."""
        is_called = tf.equal([*self._numbers], called)
        number = tf.reduce_max(tf.where(is_called, [*self._numbers.values()], _UNKNOWN))
        told = f"{CLASS_NAME} must be a name that the signature {CLASSES} tells, or a number below"
        known = tf.debugging.Assert(number != _UNKNOWN, [f"{told} {self._count}:", called])
        return _after(known, number)

    def checked(self, labels: tf.Tensor) -> tf.Tensor:
        """Labels, int32 [n], of which none is beyond the classes.

        Keras takes -1 as the last class, and a GPU draws no class at all for one that is too high.
        """
        within = tf.reduce_all((labels >= 0) & (labels < self._count))
        told = f"labels must be 0 to {self._count - 1}:"
        return _after(tf.debugging.Assert(within, [told, labels]), labels)

    def labels(
        self, number: tf.Tensor | int, seed: tf.Tensor | int, batch: tf.Tensor | int, count: int
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

    @property
    def _count(self) -> int:
        return len(self.classes.names)


def class_signatures(
    by_class: ByClass, images: Callable[..., tf.Tensor], files: Callable[..., tf.Tensor]
) -> Signatures:
    """Make the functions that only a generator with classes has.

    Args:
        by_class: Its classes.
        images: Draws uint8 [count, H, W, 3] from count, seed, truncation and a class's `number`.
        files: Draws PNG files, string [count], from the same.

    Returns:
        - `generate_class`: count, seed, truncation, and `class_name`, a string scalar as
          `numbers_of` has it (`class` cannot be an argument in Python) → `images`, uint8
          [count, H, W, 3].
        - `generate_class_png`: the same → `png_bytes`, string [count].
        - `classes`: `count`, int32 scalar → of the first so many `names`, string [n], and
          `shares`, float32 [n]. TensorFlow Serving wants a signature to have an input.
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

    asked = [*SCALARS, tf.TensorSpec([], tf.string, name=CLASS_NAME)]
    return {
        GENERATE_CLASS: tf.function(generate_class, asked, autograph=False),
        GENERATE_CLASS_PNG: tf.function(generate_class_png, asked, autograph=False),
        CLASSES: tf.function(classes, SCALARS[:1], autograph=False),
    }


def _after(check: tf.Operation | None, value: tf.Tensor) -> tf.Tensor:
    """A value to be used only once a check has passed: else what uses it may fail first."""
    with tf.control_dependencies([check]):
        return tf.identity(value)
