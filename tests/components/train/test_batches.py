import numpy as np
import tensorflow as tf

from components.train.batches import batches
from components.train.config import TrainConfig

CONFIG = TrainConfig(epochs=3, batch_size=4, seed=1)
IMAGES = tf.constant([str(index) for index in range(11)])


def seen(first_step=0, config=CONFIG):
    data = batches(IMAGES, tf.strings.to_number, config, first_step)
    return np.array([batch.numpy() for batch in data], int)


def test_each_epoch_shows_a_picture_at_most_once_and_drops_the_remainder():
    for epoch in seen().reshape(3, 2 * 4):
        assert len(set(epoch)) == 8


def test_epochs_differ_in_order():
    first, second, third = seen().reshape(3, 8).tolist()
    assert first != second != third


def test_order_goes_on_where_it_stopped():
    everything = seen()
    for done in range(6):
        np.testing.assert_array_equal(seen(done), everything[done:])
    assert len(seen(6)) == 0


def test_another_seed_is_another_order():
    assert np.any(seen() != seen(config=CONFIG.model_copy(update={"seed": 2})))
