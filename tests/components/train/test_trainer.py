"""One training step against the same step written out with a tape per network."""

from typing import get_args

import numpy as np
import pytest
import tensorflow as tf

from components.shared.classes import Classes
from components.shared.generators import images_of
from components.train.augment import flip
from components.train.checkpoints import values_of
from components.train.config import Augmentation, TrainConfig
from components.train.losses import discriminator_loss, generator_loss
from components.train.replicas import Replicas
from components.train.trainer import Purpose, Trainer, normal

CONFIG = TrainConfig(
    batch_size=6, base_width=16, latent_size=8, kernel_size=4, r1_weight=2.0, r1_interval=8,
    augment=("color", "translation"), ema_half_life=100,
)  # fmt: skip


REAL = tf.random.stateless_uniform([6, 32, 32, 3], [0, 1], -1, 1)
CLASSES, LABELS = Classes(("blue", "red"), (4, 2)), tf.constant([0, 0, 1, 0, 1, 0])


@pytest.fixture
def eager():
    """Run tf.functions step by step, so that the optimisers' input can be caught."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def two_tapes(trainer, config, real, penalize, labels):
    """Gradients of both networks, each from a tape and a backward pass of its own."""
    generator, discriminator = trainer.generator, trainer.discriminator
    discriminator.update_singular_vectors()
    if config.flip:
        real = flip(real, trainer._seed(Purpose.FLIP))
    noise = normal(config, config.batch_size, Purpose.NOISE, trainer.step)
    with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
        fake = images_of(generator, noise, labels, training=True)
        shown_fake = trainer._show(fake, Purpose.AUGMENT_FAKE)
        fake_logits = trainer._judge(shown_fake, Purpose.DROPOUT_FAKE, labels)
        shown_real = trainer._show(real, Purpose.AUGMENT_REAL)
        real_logits = trainer._judge(shown_real, Purpose.DROPOUT_REAL, labels)
        loss = discriminator_loss(config.loss, real_logits, fake_logits)
        if penalize:
            with tf.GradientTape() as inner:
                inner.watch(shown_real)
                logits = tf.reduce_sum(discriminator(shown_real, labels))
            slope = inner.gradient(logits, shown_real)
            norm = tf.reduce_mean(tf.reduce_sum(slope**2, axis=[1, 2, 3]))
            loss += config.r1_interval * config.r1_weight / 2 * norm
        losses = loss, generator_loss(config.loss, fake_logits)
    values = [
        [v.value for v in network.trainable_variables] for network in (discriminator, generator)
    ]
    return discriminator_tape.gradient(losses[0], values[0]), generator_tape.gradient(
        losses[1], values[1]
    )


@pytest.mark.parametrize("penalize", [False, True])
@pytest.mark.parametrize(
    ("settings", "classes"),
    [
        ({}, None),
        ({"dropout": 0.0}, CLASSES),
        ({"loss": "hinge", "spectral_norm": True, "flip": True, "upsampling": "nearest",
         "augment": get_args(Augmentation)}, CLASSES),
    ],
    ids=["default", "classes", "all else"],
)  # fmt: skip
@pytest.mark.usefixtures("eager")
def test_gradients_are_those_of_two_tapes(settings, classes, penalize, monkeypatch):
    config = CONFIG.model_copy(update=settings)
    labels = LABELS if classes else None
    arguments = config, 32, "float32", classes
    expected = two_tapes(Trainer(*arguments), config, REAL, penalize, labels)
    trainer = Trainer(*arguments)
    caught = {}
    for name in ("discriminator", "generator"):
        optimizer = getattr(trainer, f"_{name}_optimizer")
        monkeypatch.setattr(
            optimizer, "apply", lambda gradients, _, name=name: caught.update({name: gradients})
        )
    trainer.train_step(REAL, penalize, labels)
    for name, gradients in zip(("discriminator", "generator"), expected, strict=True):
        for ours, theirs in zip(caught[name], gradients, strict=True):
            scale = np.abs(theirs).max()
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * scale + 1e-12)


def test_average_follows_all_weights_of_the_generator():
    """Moving statistics of batch normalisation are among them."""
    trainer = Trainer(CONFIG, 32)
    before = trainer.sampler_weights()
    trainer.train_step(REAL, False)
    decay = 0.5 ** (6 / 100)
    moved = 0
    for old, new, average in zip(
        before, trainer.generator.get_weights(), trainer.sampler_weights(), strict=True
    ):
        np.testing.assert_allclose(average, decay * old + (1 - decay) * new, atol=1e-6)
        moved += bool(np.any(old != new))
    assert moved == len(before)


def test_copies_of_weights_stay_when_training_goes_on():
    trainer = Trainer(CONFIG, 32)
    trainer.train_step(REAL, False)
    copies = [trainer.sampler_weights(), list(values_of(trainer.state()).values())]
    values = [[array.copy() for array in each] for each in copies]
    for _ in range(3):
        trainer.train_step(REAL, False)
    for each, expected in zip(copies, values, strict=True):
        for array, value in zip(each, expected, strict=True):
            np.testing.assert_array_equal(array, value)


def test_step_in_low_precision_follows_that_in_float32():
    losses = []
    for dtype in ("float32", "mixed_bfloat16"):
        trainer = Trainer(CONFIG.model_copy(update={"dropout": 0.0}), 32, dtype)
        for _ in range(3):
            trainer.train_step(REAL, True)
        assert all(variable.dtype != tf.bfloat16 for variable in trainer.state().values())
        losses.append(trainer.sums.numpy() / 3)
    np.testing.assert_allclose(losses[1], losses[0], atol=0.05)
    assert np.any(losses[1] != losses[0]), "it computes in another precision"


def test_step_compiles_by_xla():
    """As on a GPU, where an operation without a compiled form would end the training."""
    settings = {"spectral_norm": True, "flip": True, "dropout": 0.3, "upsampling": "nearest"}
    trainer = Trainer(CONFIG.model_copy(update=settings), 32)
    before = values_of(trainer.state())
    step = tf.function(trainer.train_step.python_function, jit_compile=True)
    step(REAL, True)
    for name, variable in trainer.state().items():
        assert np.all(np.isfinite(variable)), name
        assert name == "seconds" or np.any(variable.numpy() != before[name]), name


def test_penalty_is_paid_every_so_many_steps(monkeypatch, tmp_path):
    from components.train.loop import TrainingLoop
    from components.train.training_folder import TrainingFolder

    config = CONFIG.model_copy(update={"epochs": 1, "r1_interval": 3})
    trainer, paid = Trainer(config, 32), []
    monkeypatch.setattr(trainer, "train_step", lambda _, penalize, __: paid.append(penalize))
    pictures = [bytes(32 * 32 * 3)] * 42
    with TrainingFolder(tmp_path, {}) as folder:
        replicas = Replicas(tf.distribute.get_strategy())
        loop = TrainingLoop(trainer, folder, config, tmp_path, {}, pictures, replicas)
        loop.run(tf.strings.length)
    assert paid == [True, False, False, True, False, False, True]
