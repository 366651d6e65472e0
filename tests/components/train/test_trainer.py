"""One training step against the same step written out with a tape per network."""

import numpy as np
import pytest
import tensorflow as tf

from components.train.config import TrainConfig
from components.train.losses import discriminator_loss, generator_loss
from components.train.trainer import Purpose, Trainer

CONFIG = TrainConfig(
    batch_size=6, base_width=16, latent_size=8, kernel_size=4, r1_weight=2.0, r1_interval=8,
    augment=("color", "translation"), ema_half_life=100,
)  # fmt: skip


@pytest.fixture
def eager():
    """Run tf.functions step by step, so that the optimisers' input can be caught."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def two_tapes(trainer, real, penalize):
    """Gradients of both networks, each from a tape and a backward pass of its own."""
    generator, discriminator = trainer.generator, trainer.discriminator
    noise = trainer._normal(CONFIG.batch_size, Purpose.NOISE, trainer.step)
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        fake = generator(noise, training=True)
        shown_fake = trainer._show(fake, Purpose.AUGMENT_FAKE)
        fake_logits = trainer._judge(shown_fake, Purpose.DROPOUT_FAKE)
        shown_real = trainer._show(real, Purpose.AUGMENT_REAL)
        loss = discriminator_loss(trainer._judge(shown_real, Purpose.DROPOUT_REAL), fake_logits)
        if penalize:
            with tf.GradientTape() as inner:
                inner.watch(shown_real)
                logits = tf.reduce_sum(discriminator(shown_real))
            slope = inner.gradient(logits, shown_real)
            norm = tf.reduce_mean(tf.reduce_sum(slope**2, axis=[1, 2, 3]))
            loss += CONFIG.r1_interval * CONFIG.r1_weight / 2 * norm
        losses = loss, generator_loss(fake_logits)
    values = [
        [v.value for v in network.trainable_variables] for network in (discriminator, generator)
    ]
    return discriminator_tape.gradient(losses[0], values[0]), generator_tape.gradient(
        losses[1], values[1]
    )


@pytest.mark.parametrize("penalize", [False, True])
@pytest.mark.usefixtures("eager")
def test_gradients_are_those_of_two_tapes(penalize, monkeypatch):
    trainer = Trainer(CONFIG, 32)
    real = tf.random.stateless_uniform([6, 32, 32, 3], [0, 1], -1, 1)
    expected = two_tapes(trainer, real, penalize)
    caught = {}
    for name in ("discriminator", "generator"):
        optimizer = getattr(trainer, f"_{name}_optimizer")
        monkeypatch.setattr(
            optimizer, "apply", lambda gradients, _, name=name: caught.update({name: gradients})
        )
    trainer.train_step(real, penalize)
    for name, gradients in zip(("discriminator", "generator"), expected, strict=True):
        for ours, theirs in zip(caught[name], gradients, strict=True):
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * scale + 1e-12)


def test_average_follows_all_weights_of_the_generator():
    """Moving statistics of batch normalisation are among them."""
    trainer = Trainer(CONFIG, 32)
    before = trainer.sampler.get_weights()
    trainer.train_step(tf.random.stateless_uniform([6, 32, 32, 3], [0, 1], -1, 1), False)
    decay = 0.5 ** (6 / 100)
    moved = 0
    for old, new, average in zip(
        before, trainer.generator.get_weights(), trainer.sampler.get_weights(), strict=True
    ):
        np.testing.assert_allclose(average, decay * old + (1 - decay) * new, atol=1e-6)
        moved += bool(np.any(old != new))
    assert moved == len(before)


def test_penalty_is_paid_every_so_many_steps(monkeypatch, tmp_path):
    from components.train.checkpoints import TrainingFolder
    from components.train.loop import TrainingLoop

    config = CONFIG.model_copy(update={"epochs": 1, "r1_interval": 3})
    trainer, paid = Trainer(config, 32), []
    monkeypatch.setattr(trainer, "train_step", lambda _, penalize: paid.append(penalize))
    images = tf.constant([str(index) for index in range(42)])
    with TrainingFolder(tmp_path, {}) as folder:
        TrainingLoop(trainer, folder, config, 7).run(images, tf.strings.to_number, slice(None))
    assert paid == [True, False, False, True, False, False, True]
