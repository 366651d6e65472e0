import keras
import numpy as np
import pytest
import tensorflow as tf

from components.train.adam import Adam
from components.train.config import TrainConfig
from components.train.trainer import Trainer


@pytest.mark.parametrize("beta_1", [0.0, 0.5, 0.9])
def test_updates_are_those_of_keras(beta_1):
    start = np.random.default_rng(0).standard_normal((5, 3), np.float32)
    ours, theirs = tf.Variable(start), keras.Variable(start)
    adam = Adam([ours], 0.01, beta_1)
    keras_adam = keras.optimizers.Adam(0.01, beta_1=beta_1)
    keras_adam.build([theirs])
    for step in range(5):
        gradient = tf.random.stateless_normal([5, 3], [step, 0])
        adam.apply([gradient], tf.constant(step, tf.int64))
        keras_adam.apply([gradient], [theirs])
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-6)
    assert np.median(np.abs(ours.numpy() - start)) > 1e-3


def test_each_network_has_rates_of_its_own():
    rates = {"generator_learning_rate": 1e-3, "discriminator_learning_rate": 2e-3}
    betas = {"generator_beta_1": 0.0, "discriminator_beta_1": 0.5}
    trainer = Trainer(TrainConfig(base_width=16, batch_size=4, **rates, **betas), 32)
    before = {name: variable.numpy() for name, variable in trainer.state().items()}
    trainer.train_step(tf.random.stateless_uniform([4, 32, 32, 3], [0, 1], -1, 1), False)
    after = {name: variable.numpy() for name, variable in trainer.state().items()}
    for network, index in (("generator", 0), ("discriminator", 2)):
        weight = f"{network}/{index:02}"
        # Adam's first step is one learning rate long, whatever the gradient.
        moved = np.abs(after[weight] - before[weight])
        assert np.median(moved) == pytest.approx(rates[f"{network}_learning_rate"], rel=0.02)
        gradient_share = 1 - betas[f"{network}_beta_1"]
        mean = after[f"{network}_moments/{0:02}"]
        square = after[f"{network}_moments/{len(moments(after, network)) // 2:02}"]
        np.testing.assert_allclose(
            np.abs(mean), gradient_share * np.sqrt(square / 0.001), rtol=1e-3, atol=1e-9
        )


def moments(state, network):
    return [name for name in state if name.startswith(f"{network}_moments/")]
