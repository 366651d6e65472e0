"""The networks, their optimisers and one simultaneous update of both."""

from enum import IntEnum

import keras
import numpy as np
import tensorflow as tf

from components.shared.normalization import to_pixels
from components.shared.pictures import grid
from components.train.augment import augment
from components.train.config import TrainConfig
from components.train.hardware import mean_over_replicas, own_draws, own_rows, replica
from components.train.losses import (
    discriminator_loss,
    generator_gradient_scale,
    generator_loss,
    r1_penalty,
)
from components.train.networks import Discriminator, build_generator

SHEET_SIDE = 4  # samples a row and a column


class Purpose(IntEnum):
    """What a random draw is for; each purpose has a stream of its own per step."""

    NOISE = 0
    AUGMENT_REAL = 1
    AUGMENT_FAKE = 2
    DROPOUT_REAL = 3
    DROPOUT_FAKE = 4
    SHEET = 5


class Trainer:
    """All state of a training: the same state and step give the same next state."""

    def __init__(self, config: TrainConfig, image_size: int) -> None:
        """Make freshly initialised networks; all of it is a function of the seed.

        Within the scope of the strategy that they are to be trained by.
        """
        self._strategy = tf.distribute.get_strategy()
        keras.utils.set_random_seed(config.seed)
        self._config = config
        self.generator = build_generator(config, image_size)
        self.discriminator = Discriminator(config, image_size)
        self._average = keras.models.clone_model(self.generator)
        self._average.set_weights(self.generator.get_weights())
        self._generator_optimizer = self._optimizer(config.generator_learning_rate, self.generator)
        self._discriminator_optimizer = self._optimizer(
            config.discriminator_learning_rate, self.discriminator
        )
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        # Sums over the epoch under way; part of the state so that a resumed epoch reports
        # the mean over all its steps.
        self.loss_sums = tf.Variable([0.0, 0.0], dtype=tf.float64, trainable=False)
        self.seconds = tf.Variable(0.0, dtype=tf.float64, trainable=False)
        self.sheet_latents = self._normal(SHEET_SIDE**2, Purpose.SHEET, tf.constant(0, tf.int64))

    @property
    def sampler(self) -> keras.Model:
        """The generator to sample from: averaged over time where that is on."""
        return self._average if self._config.ema_half_life else self.generator

    def state(self) -> tf.train.Checkpoint:
        """Everything that the next step depends on."""
        return tf.train.Checkpoint(
            generator=self.generator,
            discriminator=self.discriminator,
            average=self._average,
            generator_optimizer=self._generator_optimizer,
            discriminator_optimizer=self._discriminator_optimizer,
            step=self.step,
            loss_sums=self.loss_sums,
            seconds=self.seconds,
        )

    @tf.function
    def train_step(self, real: tf.Tensor, penalize: bool) -> None:
        """Update both networks at once, with one pass of the fakes through the discriminator.

        Args:
            real: This host's rows of a batch of pictures, float32 [B, S, S, 3] in [-1, 1].
            penalize: Whether this step pays the R1 penalty; one trace for each answer.
        """
        self._strategy.run(self._update, args=(real, penalize))

    def _update(self, real: tf.Tensor, penalize: bool) -> None:
        """Do one replica's part of a step."""
        real = own_rows(real)
        generator_weights = self.generator.trainable_variables
        discriminator_weights = self.discriminator.trainable_variables
        noise = own_draws(lambda rows: self._normal(rows, Purpose.NOISE, self.step), real.shape[0])
        with tf.GradientTape(persistent=True) as tape:
            fake = self.generator(noise, training=True)
            # Real and fake pictures pass one after the other: in one batch, the gradient at
            # the pictures, which only fakes need, would be worked out for the real ones too.
            shown_fake = self._show(fake, Purpose.AUGMENT_FAKE)
            fake_logits = self._judge(shown_fake, Purpose.DROPOUT_FAKE)
            shown_real = self._show(real, Purpose.AUGMENT_REAL)
            real_logits = self._judge(shown_real, Purpose.DROPOUT_REAL)
            loss = discriminator_loss(real_logits, fake_logits)
        *gradients, at_fake = tape.gradient(loss, [*discriminator_weights, fake])
        at_fake *= generator_gradient_scale(fake_logits)
        generator_gradients = tape.gradient(fake, generator_weights, output_gradients=at_fake)
        if penalize:
            penalty_gradients = self._penalty_gradients(shown_real)
            gradients = [g + p for g, p in zip(gradients, penalty_gradients, strict=True)]

        self._discriminator_optimizer.apply(gradients, discriminator_weights)
        self._generator_optimizer.apply(generator_gradients, generator_weights)
        self._update_average()
        losses = mean_over_replicas(tf.stack([loss, generator_loss(fake_logits)]))
        self.loss_sums.assign_add(tf.cast(losses, tf.float64))
        self.step.assign_add(1)

    def _show(self, images: tf.Tensor, purpose: Purpose) -> tf.Tensor:
        return augment(images, self._config.augment, self._seed(purpose))

    def _judge(self, images: tf.Tensor, purpose: Purpose) -> tf.Tensor:
        # Each replica drops units of its own; the layers count on below its number.
        seed = self._seed(purpose) + [replica() << 8, 0]
        return self.discriminator(images, dropout_seed=seed)

    def _penalty_gradients(self, real: tf.Tensor) -> list[tf.Tensor]:
        # Charged every `r1_interval` steps, hence that many times over ("lazy
        # regularisation", Karras et al. 2020, https://arxiv.org/abs/1912.04958, §3.1).
        weight = self._config.r1_weight * self._config.r1_interval
        with tf.GradientTape() as tape:
            penalty = weight * r1_penalty(self.discriminator, real)
        variables = [variable.value for variable in self.discriminator.trainable_variables]
        # The last bias does not move the gradient at the pictures.
        return tape.gradient(penalty, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    def _update_average(self) -> None:
        if not self._config.ema_half_life:
            return
        decay = 0.5 ** (self._config.batch_size / self._config.ema_half_life)
        # Moving statistics of batch normalisation are averaged with the weights they suit.
        for average, weight in zip(self._average.weights, self.generator.weights, strict=True):
            average.assign_add((1 - decay) * (weight - average))

    def sample_sheet(self) -> np.ndarray:
        """Draw the same 16 latents each time: uint8 [4·(S + 2) + 2, 4·(S + 2) + 2, 3]."""
        pixels = self._draw(self.sheet_latents).numpy()
        return grid(pixels, SHEET_SIDE)

    @tf.function
    def _draw(self, latents: tf.Tensor) -> tf.Tensor:
        return to_pixels(self.sampler(latents, training=False))

    def _seed(self, purpose: Purpose) -> tf.Tensor:
        return _seed(self._config.seed, purpose, self.step)

    def _normal(self, count: int, purpose: Purpose, step: tf.Tensor) -> tf.Tensor:
        seed = _seed(self._config.seed, purpose, step)
        return tf.random.stateless_normal([count, self._config.latent_size], seed)

    def _optimizer(self, learning_rate: float, model: keras.Model) -> keras.optimizers.Optimizer:
        # Keras adds up the gradients of all replicas, each the mean over its own rows; the
        # factor, by which it divides them first, makes that the mean over the batch.
        replicas = self._strategy.num_replicas_in_sync
        optimizer = keras.optimizers.Adam(
            learning_rate,
            beta_1=self._config.beta_1,
            loss_scale_factor=replicas if replicas > 1 else None,
        )
        optimizer.build(model.trainable_variables)
        return optimizer


def _seed(seed: int, purpose: Purpose, step: tf.Tensor) -> tf.Tensor:
    """Seed of one draw, int64 [2]; the layers of a network count on from the first number."""
    return tf.stack([tf.constant((seed * len(Purpose) + purpose) << 16, tf.int64), 2 * step])
