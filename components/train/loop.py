"""The training loop: steps, what each epoch leaves behind, checkpoints, and the end."""

import contextlib
import functools
import logging
import math
import shlex
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.shared.classes import Classes
from components.shared.contracts import SNAPSHOTS
from components.shared.errors import Terminated, TrainingStopped
from components.shared.process import stops_in_its_own_time
from components.train.batches import Pictures, batches, load_labels
from components.train.checkpoints import Arrays, values_of
from components.train.config import TrainConfig
from components.train.guards import spread_of_data
from components.train.patience import Patience
from components.train.progress import Progress, clock
from components.train.recorder import Recorder
from components.train.replicas import Replicas
from components.train.trainer import SIGNS, Trainer
from components.train.training_folder import TrainingFolder
from components.train.writer import NoWriter, Writer

LOG = logging.getLogger("dcgan.train")


class TrainingLoop:
    """Runs a trainer over the pictures and keeps its folder up to date.

    Sheets, curves, snapshots and checkpoints are written by a thread of their own, in the
    order in which they came up. So a checkpoint is written after all that the epochs before
    it left, and whoever goes on from it finds nothing missing.

    Training time runs from before a process makes its first batch, so that tracing counts,
    each time anew, and pictures, restoring and the choice of a precision before it do not.
    What a killed process did after its last checkpoint is lost and counts for nothing.
    """

    def __init__(
        self,
        trainer: Trainer,
        folder: TrainingFolder,
        config: TrainConfig,
        records: Path,
        manifest: dict[str, Any],
        pictures: Pictures,
        replicas: Replicas,
    ) -> None:
        """Restore the folder's last checkpoint, if there is one, into the trainer.

        Args:
            trainer: The networks in training.
            folder: Where the training lives.
            config: Settings of this step.
            records: Folder written by ingest.
            manifest: What its `manifest.json` holds.
            pictures: From `open_pictures`, as many as a batch at least.
            replicas: Those that train together; the chief's clock counts for all.
        """
        self._trainer, self._folder, self._config = trainer, folder, config
        self._pictures, self._replicas = pictures, replicas
        self._labels = load_labels(records, manifest)
        self._steps_per_epoch = len(pictures) // config.batch_size
        self._total = self._steps_per_epoch * config.epochs
        self._state = trainer.state()
        self._resumed = folder.restore(self._state)
        self.first_step = int(trainer.step.numpy())
        kept = folder.forget_after(self.first_step)
        image_size = trainer.generator.output_shape[1]
        data_spread = spread_of_data(pictures, image_size)
        epochs_done = self.first_step // self._steps_per_epoch
        self._patience = Patience(folder, records, config, epochs_done)
        self._recorder = Recorder(
            folder, config, image_size, trainer.sheet, data_spread, self._patience.spared,
            Classes.of(manifest),
        )  # fmt: skip
        self._recorder.replay(kept)
        self._progress = Progress(config, self._total, self.first_step)
        self._writer = Writer() if folder.writes else NoWriter()
        self._checkpoint: Future[None] | None = None
        self._checkpoint_due = False
        self._saved_at = self._counted_at = time.monotonic()
        self._saved_step = self.first_step

    @property
    def epochs(self) -> int:
        """Epochs at whose end the training is over; fewer once its minutes are used up."""
        return self._epoch_of(self._total)

    def run(self, normalize: Callable[[tf.Tensor], tf.Tensor]) -> None:
        """Train to the end of the last epoch.

        Args:
            normalize: The transform graph, from string [B] to float32 [B, S, S, 3].

        Raises:
            TrainingStopped: A loss or a weight is no longer finite, or the training has
                collapsed; says where the snapshots from before are.
            Terminated: Asked to stop; a checkpoint of the step under way is written.
        """
        try:
            self._announce()
            with stops_in_its_own_time() as stop, self._writer:
                self._train(normalize, stop)
        except TrainingStopped as error:
            reason = f"{error}; snapshots: {self._folder.path / SNAPSHOTS}"
            self._folder.mark("stopped", reason=reason, guard_epochs=self._config.guard_epochs)
            raise TrainingStopped(reason) from None
        finally:
            self._patience.close()
            self._recorder.close()
        self._folder.mark("finished")

    def _announce(self) -> None:
        # As of a process that ended after an epoch, before it could look at the clock.
        at_an_end = self.first_step > 0 and self.first_step % self._steps_per_epoch == 0
        facts: dict[str, Any] = {"epochs": self.epochs, "total_steps": self._total}
        if at_an_end:
            facts |= self._decide_on_the_end(self.first_step)
        self._folder.mark("running", progress=None, **facts)
        if self.first_step == self._total:
            LOG.info("already trained to step %d: nothing to do", self._total)
            return
        if self._resumed:
            epoch = self._epoch_of(self.first_step + 1)
            LOG.info("going on from step %d of %d, epoch %d", self.first_step, self._total, epoch)
        if self._folder.writes:
            folder, here = self._folder.path, Path.cwd()
            if here.name and folder.is_relative_to(here):  # short enough for a terminal
                folder = folder.relative_to(here)
            LOG.info("TensorBoard: tensorboard --logdir %s", shlex.quote(str(folder)))

    def _train(self, normalize: Callable[[tf.Tensor], tf.Tensor], stop: threading.Event) -> None:
        config = self._config
        if self.first_step == 0:
            networks = self._trainer.sampler_weights(), self._discriminator()
            written = self._writer.submit(self._recorder.record_start, *networks)
            self._patience.score(0, written)
        elif self.first_step < self._total:
            self._patience.catch_up(self.first_step // self._steps_per_epoch)
        if self.first_step == self._total and not self._folder.has_snapshot(self.epochs):
            # `epochs` or `minutes` were lowered to where the training happened to be.
            networks = self._trainer.sampler_weights(), self._discriminator()
            self._writer.submit(self._recorder.record_snapshot, self.epochs, *networks)
        rows = self._replicas.rows(config.batch_size)
        data = batches(self._pictures, normalize, config, self.first_step, rows, self._labels)
        self._counted_at = time.monotonic()
        with contextlib.closing(data):
            done = self.first_step
            while done < self._total:  # which becomes less when the minutes are used up
                penalize = config.r1_weight > 0 and done % config.r1_interval == 0
                batch = next(data)
                self._trainer.train_step(batch.images, penalize, batch.labels)
                done += 1
                # A cluster is told to stop one host at a time. The others work on, so that the
                # chief can end its step and save it, which ends them.
                if stop.is_set() and self._folder.writes:
                    self._stop(done)
                self._after(done)
        if self._saved_step < self._total:
            self._save(self._total)
        self._writer.flush()

    def _after(self, done: int) -> None:
        """Do what is due after `done` steps."""
        self._writer.check()
        if self._progress.is_due():
            means, seconds = self._means(done), self._count_time()
            kid = self._patience.newest_kid
            progress = self._progress.show(done, self._steps_per_epoch, means, seconds, kid)
            mark = functools.partial(self._folder.mark, "running", progress=progress)
            self._writer.submit(mark)  # for `dcgan watch`
        if done % self._steps_per_epoch == 0:
            if self._config.minutes:
                self._count_time()
            if facts := self._decide_on_the_end(done):
                # Before the epoch's files are: a process that is killed among them, and does its
                # last steps again, ends with the same epoch.
                self._writer.submit(functools.partial(self._folder.mark, "running", **facts))
            if done == self._total:
                self._patience.wait()  # for the best, which stays
            seconds = self._record_epoch(done)
            self._progress.show_epoch(self._epoch_of(done), seconds)
        if time.monotonic() - self._saved_at >= self._config.checkpoint_seconds:
            self._checkpoint_due = True
        # Where writing is slower than that, one is written as often as the disk allows.
        if self._checkpoint_due and (self._checkpoint is None or self._checkpoint.done()):
            self._save(done)

    def _count_time(self) -> float:
        """Add the time since it was last counted to the training's, and give that: seconds."""
        self._trainer.step.numpy()  # a GPU may still be at work
        now = time.monotonic()
        self._trainer.seconds.assign_add(now - self._counted_at)
        self._counted_at = now
        return float(self._trainer.seconds.numpy())

    def _minutes_are_over(self) -> bool:
        """Whether the time that is counted is what `minutes` allow."""
        limit = 60 * self._config.minutes
        return 0 < limit <= self._trainer.seconds.numpy()

    def _decide_on_the_end(self, done: int) -> dict[str, Any]:
        """Have all workers end after this epoch where the chief's time or patience is used up.

        Returns:
            What the folder has to know of it; empty where the training goes on.
        """
        epoch, config = self._epoch_of(done), self._config
        if config.minutes and self._replicas.from_chief(int(self._minutes_are_over())):
            used = clock(float(self._trainer.seconds.numpy()))
            why = f"train.minutes (={config.minutes:g}) are used up ({used})"
            limit: dict[str, Any] = {"time_up": {"minutes": config.minutes, "epoch": epoch}}
        elif done < self._total and self._patience.is_due(epoch):
            gained = self._patience.last_gain(epoch)
            told = self._replicas.from_chief(0 if gained is None else gained + 1)
            if not told:
                return {}
            patience = f"train.patience (={config.patience}) is used up"
            why = f"{patience}, no gain in KID since epoch {told - 1}"
            limit = {"patience_up": {"patience": config.patience, "epoch": epoch}}
        else:
            return {}
        LOG.info("%s: epoch %d is the last one; a larger one goes on", why, epoch)
        self._total = done
        return {"epochs": epoch, "total_steps": done, **limit}

    def _record_epoch(self, done: int) -> float:
        """Have an epoch recorded, and give its seconds; a checkpoint follows each snapshot."""
        epoch, config = self._epoch_of(done), self._config
        means = self._means(done)
        seconds, rate = self._progress.end_epoch(done)
        row = {
            "epoch": epoch,
            "step": done,
            **means,
            "seconds": round(seconds, 3),
            "images_per_second": round(rate, 1),
        }
        snapshot_due = epoch % config.snapshot_epochs == 0 or done == self._total
        weights = self._trainer.sampler_weights()
        discriminator = self._discriminator() if snapshot_due else None
        written = self._writer.submit(self._recorder.record_epoch, row, weights, discriminator)
        if snapshot_due and done < self._total:
            self._patience.score(epoch, written)
        self._trainer.sums.assign(tf.zeros_like(self._trainer.sums))
        self._checkpoint_due |= snapshot_due
        return seconds

    def _discriminator(self) -> Arrays:
        return values_of(self._trainer.discriminator.named_weights())

    def _save(self, done: int) -> None:
        """Have a checkpoint written of the state as it is now; one copy at a time."""
        if self._checkpoint is not None:
            self._checkpoint.result()
        self._count_time()
        arrays = values_of(self._state)
        self._checkpoint = self._writer.submit(self._folder.save_checkpoint, arrays)
        self._saved_at, self._saved_step = self._counted_at, done
        self._checkpoint_due = False

    def _stop(self, done: int) -> None:
        """End the process, and lose nothing."""
        if done % self._steps_per_epoch == 0:
            self._record_epoch(done)
        self._save(done)
        self._writer.flush()
        raise Terminated(
            f"stopped after step {done} of {self._total}, epoch {self._epoch_of(done)}, with a "
            "checkpoint; the same command goes on from there"
        )

    def _means(self, done: int) -> dict[str, float]:
        """Losses and logits, means over the steps so far of the epoch under way."""
        steps = done % self._steps_per_epoch or self._steps_per_epoch
        means = dict(zip(SIGNS, (self._trainer.sums.numpy() / steps).tolist(), strict=True))
        for name, value in means.items():
            # The chief alone judges: the others show their progress at other steps.
            if self._folder.writes and not math.isfinite(value):
                raise TrainingStopped(
                    f"{name} is no longer finite after step {done}: lower "
                    "train.generator_learning_rate and train.discriminator_learning_rate"
                )
        return means

    def _epoch_of(self, step: int) -> int:
        """Epoch in which a step, counted from 1, is done."""
        return -(-step // self._steps_per_epoch)
