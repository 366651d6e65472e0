"""Keras' layers with quicker insides, for training.

They carry Keras' names, weights and results, so that the weights fit a generator of Keras'
own layers, which is what gets saved.
"""

import keras
import tensorflow as tf

from components.train.convolution import convolve_transposed


class Conv2DTranspose(keras.layers.Conv2DTranspose):
    """Strides 2, padding "same", no bias."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Double the side: [B, H, W, I] → [B, 2H, 2W, filters]."""
        return self.activation(convolve_transposed(inputs, tf.convert_to_tensor(self.kernel)))


class Embedding(keras.layers.Embedding):
    """By a product of matrices, whose gradient a GPU adds up in the same order each time."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Vectors of labels: int32 [B] → [B, output_dim]."""
        table = tf.convert_to_tensor(self.embeddings)
        return tf.matmul(tf.one_hot(inputs, self.input_dim, dtype=table.dtype), table)


class BatchNormalization(keras.layers.BatchNormalization):
    """Over the last axis, by the fused kernel; Keras writes it out, pass by pass.

    Where replicas share a batch, Keras' own: it can take the statistics of the whole batch.
    """

    def __init__(self, **options: object) -> None:
        """Take Keras' options."""
        shared = tf.distribute.get_strategy().num_replicas_in_sync > 1
        super().__init__(synchronized=shared, **options)

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalise by the batch's own statistics in training, by the moving ones otherwise."""
        if not training or self.synchronized:
            return super().call(inputs, training=training)
        channels = inputs.shape[-1]
        rank_4 = inputs if inputs.shape.rank == 4 else tf.reshape(inputs, [-1, 1, 1, channels])
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            rank_4,
            tf.convert_to_tensor(self.gamma),
            tf.convert_to_tensor(self.beta),
            epsilon=self.epsilon,
        )
        # The kernel divides by count - 1, Keras by the count.
        count = tf.cast(tf.size(inputs) // channels, variance.dtype)
        self._move(self.moving_mean, mean)
        self._move(self.moving_variance, variance * (count - 1) / count)
        return tf.reshape(outputs, tf.shape(inputs))

    def _move(self, moving: keras.Variable, current: tf.Tensor) -> None:
        moving.assign(moving * self.momentum + current * (1 - self.momentum))
