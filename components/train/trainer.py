"""The networks, their optimisers and one simultaneous update of both."""

from enum import IntEnum
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from components.shared.classes import Classes
from components.shared.generators import images_of
from components.train import fused_layers
from components.train.adam import Adam
from components.train.augment import augment, flip
from components.train.checkpoints import Arrays, value_of
from components.train.config import TrainConfig
from components.train.hardware import has_gpu
from components.train.losses import (
    discriminator_loss,
    generator_loss,
    one_pass_gradients,
    r1_penalty,
)
from components.train.networks import Discriminator, build_generator, generator_weights
from components.train.replicas import mean_over_replicas, own_draws, own_rows, replica

SHEET_SIDE = 4  # samples a row and a column; a row of a class has as many at least
SHEET_CLASSES = 8
# What `Trainer.sums` adds up, in this order.
SIGNS = ("discriminator_loss", "generator_loss", "real_logit", "fake_logit")


class Purpose(IntEnum):
    """What a random draw is for; each purpose has a stream of its own per step."""

    NOISE = 0
    AUGMENT_REAL = 1
    AUGMENT_FAKE = 2
    DROPOUT_REAL = 3
    DROPOUT_FAKE = 4
    SHEET = 5
    FLIP = 6


class Trainer:
    """All state of a training: the same state and step give the same next state."""

    def __init__(
        self,
        config: TrainConfig,
        image_size: int,
        dtype: str = "float32",
        classes: Classes | None = None,
    ) -> None:
        """Make freshly initialised networks; all of it is a function of the seed.

        Within the scope of the strategy that they are to be trained by, where it is not the
        default one.

        Args:
            config: Settings of the training.
            image_size: Side of the pictures, a power of two.
            dtype: Data type policy of both networks, "float32" or "mixed_bfloat16".
            classes: Those of the pictures; None where they have no labels.
        """
        keras.utils.set_random_seed(config.seed)
        self._config = config
        self._strategy = tf.distribute.get_strategy()
        # On a CPU, XLA is an order of magnitude slower, and what it compiles cannot wait for
        # another replica's part.
        jit = has_gpu() and self._strategy.num_replicas_in_sync == 1
        # No `if` or `for` there depends on a tensor. To look for one took three of the six
        # seconds between the start of a training and its first step.
        self.train_step = tf.function(self._train_step, autograph=False, jit_compile=jit or None)
        count = len(classes.names) if classes else 0
        self.generator = build_generator(config, image_size, dtype, fused_layers, count)
        self.discriminator = Discriminator(config, image_size, dtype, count)
        self._average = [tf.Variable(weight) for weight in _variables(self.generator.weights)]
        self._generator_weights = _variables(self.generator.trainable_variables)
        self._discriminator_weights = _variables(self.discriminator.trainable_variables)
        self._generator_optimizer = Adam(
            self._generator_weights, config.generator_learning_rate, config.generator_beta_1
        )
        self._discriminator_optimizer = Adam(
            self._discriminator_weights,
            config.discriminator_learning_rate,
            config.discriminator_beta_1,
        )
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Sums over the epoch under way; part of the state so that a resumed epoch reports
        # the mean over all its steps.
        self.sums = tf.Variable([0.0] * len(SIGNS), dtype=tf.float64, trainable=False)
        self.seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.sheet = sheet_of(config, classes)

    def state(self) -> dict[str, tf.Variable]:
        """Everything that the next step depends on, by names that stay the same."""
        groups = {
            "generator": _variables(self.generator.weights),
            "discriminator": _variables(self.discriminator.weights),
            "average": self._average if self._config.ema_half_life else [],
            "generator_moments": self._generator_optimizer.moments,
            "discriminator_moments": self._discriminator_optimizer.moments,
        }
        numbered = {
            f"{group}/{index:02}": variable
            for group, variables in groups.items()
            for index, variable in enumerate(variables)
        }
        return {**numbered, "step": self.step, "sums": self.sums, "seconds": self.seconds}

    def start_from(self, generator: Arrays, discriminator: Arrays) -> None:
        """Give the networks, and the average, weights of others.

        Args:
            generator: float32 by "layer/weight", as `generator_weights` names them; what is not
                there stays.
            discriminator: The same, as `Discriminator.named_weights` names them.
        """
        mine = generator_weights(self.generator), self.discriminator.named_weights()
        for weights, arrays in zip(mine, (generator, discriminator), strict=True):
            for name, array in arrays.items():
                weights[name].assign(array)
        self.discriminator.find_singular_vectors()
        for average, weight in zip(self._average, _variables(self.generator.weights), strict=True):
            average.assign(weight)

    def sampler_weights(self) -> list[np.ndarray]:
        """Values of the weights to sample from: averaged over time where that is on."""
        averaged = self._config.ema_half_life > 0
        variables = self._average if averaged else _variables(self.generator.weights)
        return [value_of(variable) for variable in variables]

    def _train_step(self, real: tf.Tensor, penalize: bool, labels: tf.Tensor | None = None) -> None:
        """Update both networks at once, with one pass of the fakes through the discriminator.

        Args:
            real: Batch of pictures, or this host's rows of it, float32 [B, S, S, 3] in [-1, 1].
            penalize: Whether this step pays the R1 penalty; one trace for each answer.
            labels: Class of each of them, int32 [B], which as many fakes are drawn of, too; None
                without classes.
        """
        self._strategy.run(self._update, args=(real, penalize, labels))

    def _update(self, real: tf.Tensor, penalize: bool, labels: tf.Tensor | None) -> None:
        """Do a step as one of the replicas, which end it with the same weights."""
        config = self._config
        self.discriminator.update_singular_vectors()
        real = own_rows(real)
        if labels is not None:
            labels = own_rows(labels)
        noise = own_draws(
            lambda rows: normal(config, rows, Purpose.NOISE, self.step), real.shape[0]
        )
        if config.flip:
            real = flip(real, self._seed(Purpose.FLIP))
        with tf.GradientTape(persistent=True) as tape:
            fake = images_of(self.generator, noise, labels, training=True)
            # Real and fake pictures pass one after the other: in one batch, the gradient at
            # the pictures, which only fakes need, would be worked out for the real ones too.
            shown_fake = self._show(fake, Purpose.AUGMENT_FAKE)
            fake_logits = self._judge(shown_fake, Purpose.DROPOUT_FAKE, labels)
            shown_real = self._show(real, Purpose.AUGMENT_REAL)
            real_logits = self._judge(shown_real, Purpose.DROPOUT_REAL, labels)
            loss = discriminator_loss(config.loss, real_logits, fake_logits)
        gradients, at_fake = one_pass_gradients(
            tape, config.loss, loss, self._discriminator_weights, fake, fake_logits
        )
        generator_gradients = tape.gradient(fake, self._generator_weights, output_gradients=at_fake)
        if penalize:
            penalty_gradients = self._penalty_gradients(shown_real, labels)
            gradients = [g + p for g, p in zip(gradients, penalty_gradients, strict=True)]
        signs = [
            loss,
            generator_loss(config.loss, fake_logits),
            tf.reduce_mean(real_logits),
            tf.reduce_mean(fake_logits),
        ]

        gradients, generator_gradients, signs = mean_over_replicas(
            (gradients, generator_gradients, tf.stack(signs))
        )
        self._discriminator_optimizer.apply(gradients, self.step)
        self._generator_optimizer.apply(generator_gradients, self.step)
        self._update_average()
        self.sums.assign_add(tf.cast(signs, tf.float64))
        self.step.assign_add(1)

    def _show(self, images: tf.Tensor, purpose: Purpose) -> tf.Tensor:
        return augment(images, self._config.augment, self._seed(purpose))

    def _judge(
        self, images: tf.Tensor, purpose: Purpose, labels: tf.Tensor | None = None
    ) -> tf.Tensor:
        # Each replica drops units of its own; layers count on below its number.
        seed = self._seed(purpose) + [replica() << 8, 0]
        return self.discriminator(images, labels, dropout_seed=seed)

    def _penalty_gradients(self, real: tf.Tensor, labels: tf.Tensor | None) -> list[tf.Tensor]:
        # Charged every `r1_interval` steps, hence that many times over ("lazy
        # regularisation", Karras et al. 2020, https://arxiv.org/abs/1912.04958, §3.1).
        weight = self._config.r1_weight * self._config.r1_interval
        with tf.GradientTape() as tape:
            penalty = weight * r1_penalty(lambda shown: self.discriminator(shown, labels), real)
        # The last bias does not move the gradient at the pictures.
        return tape.gradient(
            penalty, self._discriminator_weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    def _update_average(self) -> None:
        if not self._config.ema_half_life:
            return
        decay = 0.5 ** (self._config.batch_size / self._config.ema_half_life)
        # Moving statistics of batch normalisation are averaged with the weights they suit.
        weights = _variables(self.generator.weights)
        for average, weight in zip(self._average, weights, strict=True):
            average.assign_add((1 - decay) * (weight - average))

    def _seed(self, purpose: Purpose) -> tf.Tensor:
        return _seed(self._config.seed, purpose, self.step)


class Sheet(NamedTuple):
    """What the sample sheets show, the same on each."""

    latents: tf.Tensor  # float32 [N, latent_size]
    labels: tf.Tensor | None  # int32 [N]; None without classes
    columns: int


def sheet_of(config: TrainConfig, classes: Classes | None) -> Sheet:
    """Choose what to show: 4×4 samples; or a row a class, the same latents in each.

    Of many classes, the largest ones are shown.
    """
    rows, columns, labels = SHEET_SIDE, SHEET_SIDE, None
    if classes:
        shown = classes.largest(SHEET_CLASSES)
        rows, columns = 1, max(SHEET_SIDE, SHEET_SIDE**2 // len(shown))
        labels = tf.repeat(tf.constant(shown, tf.int32), columns)
    latents = normal(config, rows * columns, Purpose.SHEET, tf.constant(0, tf.int64))
    if classes:
        latents = tf.tile(latents, [len(shown), 1])
    return Sheet(latents, labels, columns)


def normal(config: TrainConfig, count: int, purpose: Purpose, step: tf.Tensor) -> tf.Tensor:
    """Latents for one purpose at one step: float32 [count, latent_size]."""
    seed = _seed(config.seed, purpose, step)
    return tf.random.stateless_normal([count, config.latent_size], seed)


def _seed(seed: int, purpose: Purpose, step: tf.Tensor) -> tf.Tensor:
    """Seed of one draw, int64 [2]; the layers of a network count on from the first number."""
    return tf.stack([tf.constant((seed * len(Purpose) + purpose) << 16, tf.int64), 2 * step])


def _variables(weights: list[keras.Variable]) -> list[tf.Variable]:
    return [weight.value for weight in weights]
