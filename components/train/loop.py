"""The training loop, and what it leaves behind at each epoch."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from components.shared.errors import TrainingStopped
from components.train.batches import batches
from components.train.checkpoints import TrainingFolder
from components.train.config import TrainConfig
from components.train.trainer import Trainer

LOG = logging.getLogger("dcgan.train")
_SECONDS_BETWEEN_LINES = 10.0


class TrainingLoop:
    """Runs a trainer over the pictures and keeps its folder up to date."""

    def __init__(
        self, trainer: Trainer, folder: TrainingFolder, config: TrainConfig, steps_per_epoch: int
    ) -> None:
        """Restore the folder's last checkpoint, if there is one, into the trainer."""
        self._trainer, self._folder, self._config = trainer, folder, config
        self._steps_per_epoch = steps_per_epoch
        self._total = steps_per_epoch * config.epochs
        self._resumed = folder.restore(trainer.state())
        self.first_step = int(trainer.step.numpy())
        kept = folder.forget_after(self.first_step)
        self._summaries = folder.summary_writer()
        for row in kept:
            self._summarize(row)
        self._progress = _Progress(config, self._total, self.first_step)
        self._saved_at = time.monotonic()

    def run(
        self, images: tf.Tensor, normalize: Callable[[tf.Tensor], tf.Tensor], rows: slice
    ) -> None:
        """Train to the end of the last epoch.

        Args:
            images: Raw pixels, string [N].
            normalize: The transform graph, from string [B] to float32 [B, S, S, 3].
            rows: Of each batch, those of this host.

        Raises:
            TrainingStopped: A loss is no longer finite.
        """
        self._announce()
        if self.first_step == 0:
            self._save_sheet(epoch=0)
        config = self._config
        data = batches(images, normalize, config, self.first_step, rows)
        for step, real in enumerate(data, start=self.first_step):
            penalize = config.r1_weight > 0 and step % config.r1_interval == 0
            self._trainer.train_step(real, penalize)
            self._after(step + 1)
        self._summaries.close()

    def _announce(self) -> None:
        if self.first_step == self._total:
            LOG.info("already trained to step %d: nothing to do", self._total)
        elif self._resumed:
            epoch = self.first_step // self._steps_per_epoch + 1
            LOG.info("going on from step %d of %d, epoch %d", self.first_step, self._total, epoch)

    def _after(self, done: int) -> None:
        """Do what is due after `done` steps."""
        steps = done % self._steps_per_epoch or self._steps_per_epoch  # of the epoch under way
        if self._progress.is_due():
            self._progress.show(done, self._steps_per_epoch, self._mean_losses(done, steps))
        ends_epoch = steps == self._steps_per_epoch
        saved = self._end_epoch(done) if ends_epoch else False
        if saved or time.monotonic() - self._saved_at >= self._config.checkpoint_seconds:
            if not ends_epoch:
                self._mean_losses(done, steps)  # a state that is lost is not worth keeping
            self._save()

    def _end_epoch(self, done: int) -> bool:
        """Record an epoch; True when a snapshot was taken, which a checkpoint follows."""
        epoch = done // self._steps_per_epoch
        discriminator_loss, generator_loss = self._mean_losses(done, self._steps_per_epoch)
        seconds, rate = self._progress.end_epoch(done)
        if seconds >= _SECONDS_BETWEEN_LINES:
            LOG.info("epoch %d took %s", epoch, _clock(seconds))
        row = {
            "epoch": epoch,
            "step": done,
            "discriminator_loss": discriminator_loss,
            "generator_loss": generator_loss,
            "seconds": round(seconds, 3),
            "images_per_second": round(rate, 1),
        }
        self._folder.add_metrics(row)
        self._summarize(row)
        sheet = self._save_sheet(epoch)
        self._trainer.loss_sums.assign([0.0, 0.0])
        if epoch % self._config.snapshot_epochs and epoch < self._config.epochs:
            return False
        with self._summaries.as_default(step=done):
            tf.summary.image("samples", sheet[tf.newaxis])
        self._folder.save_snapshot(epoch, self._trainer.sampler, self._config.snapshots_kept)
        return True

    def _summarize(self, row: dict[str, Any]) -> None:
        with self._summaries.as_default(step=row["step"]):
            for name in ("discriminator_loss", "generator_loss", "images_per_second"):
                tf.summary.scalar(name, row[name])

    def _save_sheet(self, epoch: int) -> np.ndarray:
        sheet = self._trainer.sample_sheet()
        self._folder.save_sheet(epoch, sheet)
        return sheet

    def _save(self) -> None:
        now = time.monotonic()
        self._trainer.seconds.assign_add(now - self._saved_at)
        self._folder.save()
        self._saved_at = now

    def _mean_losses(self, done: int, steps: int) -> tuple[float, float]:
        """Of discriminator and generator, over the epoch's `steps` so far."""
        discriminator, generator = (self._trainer.loss_sums.numpy() / steps).tolist()
        if not (math.isfinite(discriminator) and math.isfinite(generator)):
            raise TrainingStopped(
                f"loss is no longer finite after step {done} (discriminator {discriminator}, "
                f"generator {generator}): lower train.generator_learning_rate and "
                "train.discriminator_learning_rate"
            )
        return discriminator, generator


class _Progress:
    """Rates, the time left, and a line about them every few seconds."""

    def __init__(self, config: TrainConfig, total: int, first_step: int) -> None:
        self._config, self._total = config, total
        self._line = self._epoch = (time.monotonic(), first_step)

    def is_due(self) -> bool:
        return time.monotonic() - self._line[0] >= _SECONDS_BETWEEN_LINES

    def show(self, done: int, steps_per_epoch: int, losses: tuple[float, float]) -> None:
        rate, self._line = self._rate(self._line, done)
        left = (self._total - done) * self._config.batch_size / rate
        LOG.info(
            "epoch %d/%d step %d/%d %.0f img/s D %.2f G %.2f left %s",
            -(-done // steps_per_epoch), self._config.epochs, done, self._total, rate, *losses,
            _clock(left),
        )  # fmt: skip

    def end_epoch(self, done: int) -> tuple[float, float]:
        """Seconds that the epoch took, and its pictures per second."""
        started = self._epoch[0]
        rate, self._epoch = self._rate(self._epoch, done)
        return self._epoch[0] - started, rate

    def _rate(self, since: tuple[float, int], done: int) -> tuple[float, tuple[float, int]]:
        now = (time.monotonic(), done)
        seconds = max(now[0] - since[0], 1e-9)
        return (done - since[1]) * self._config.batch_size / seconds, now


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"
