"""The order in which training sees the pictures."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from components.train.config import TrainConfig


def batches(
    images: tf.Tensor,
    normalize: Callable[[tf.Tensor], tf.Tensor],
    config: TrainConfig,
    first_step: int,
    rows: slice = slice(None),
) -> tf.data.Dataset:
    """Batches of normalised pictures from `first_step` to the end of the last epoch.

    The order within an epoch is a function of (seed, epoch). The remainder of an epoch
    is dropped, so that every batch has as many real pictures as fakes.

    Args:
        images: Raw pixels, string [N], N ≥ batch_size.
        normalize: From raw pixels, string [B], to float32 [B, S, S, 3] in [-1, 1].
        config: Knobs of this step.
        first_step: Steps already done.
        rows: Of each batch, those to give: all, or those of one host.

    Returns:
        A dataset of float32 [batch_size, S, S, 3], or as many rows of each batch.
    """
    count = int(images.shape[0])
    size, steps_per_epoch = config.batch_size, count // config.batch_size

    def indices() -> Iterator[np.ndarray]:
        for epoch in range(first_step // steps_per_epoch, config.epochs):
            order = np.random.default_rng([config.seed, epoch]).permutation(count)
            for step in range(max(first_step - epoch * steps_per_epoch, 0), steps_per_epoch):
                yield order[step * size : (step + 1) * size][rows]

    signature = tf.TensorSpec([len(range(size)[rows])], tf.int64)
    dataset = tf.data.Dataset.from_generator(indices, output_signature=signature)
    return dataset.map(lambda chosen: normalize(tf.gather(images, chosen))).prefetch(2)
