"""What an epoch leaves to look at: a point of the curves, a sheet, perhaps a snapshot."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from components.shared.classes import Classes
from components.shared.contracts import TENSORBOARD
from components.shared.generators import images_of
from components.shared.normalization import to_pixels
from components.shared.pictures import grid
from components.train.checkpoints import Arrays, check_finite
from components.train.config import TrainConfig
from components.train.guards import check_epochs, diversity, epochs_before_signs
from components.train.networks import build_generator
from components.train.trainer import SIGNS, Sheet
from components.train.training_folder import TrainingFolder

_CURVES = (*SIGNS, "diversity", "images_per_second")


class Recorder:
    """Draws with a twin of the generator, so that the original can train on meanwhile."""

    def __init__(
        self,
        folder: TrainingFolder,
        config: TrainConfig,
        image_size: int,
        sheet: Sheet,
        data_spread: float,
        spared: Callable[[], Iterable[float]] = tuple,
        classes: Classes | None = None,
    ) -> None:
        """Make the twin, float32 on the CPU.

        Args:
            folder: Folder of the training.
            config: Settings of this step.
            image_size: Side of the pictures in pixels.
            sheet: What each sheet shows.
            data_spread: `guards.spread` of the training pictures.
            spared: Gives epochs whose snapshots stay, whatever else goes.
            classes: Those of the pictures; None where they have no labels.
        """
        self._folder, self._config, self._data_spread = folder, config, data_spread
        self._spared = spared
        self._rows: list[dict[str, Any]] = []  # of all epochs so far
        with tf.device("CPU:0"):
            count = len(classes.names) if classes else 0
            self._generator = build_generator(config, image_size, classes=count)
            self._latents = tf.identity(sheet.latents)
            self._labels = None if sheet.labels is None else tf.identity(sheet.labels)
        self._columns = sheet.columns
        self._summaries = (
            tf.summary.create_file_writer(str(folder.path / TENSORBOARD))
            if folder.writes
            else tf.summary.create_noop_writer()
        )

    def replay(self, rows: Iterable[dict[str, Any]]) -> None:
        """Give TensorBoard the points of the curves that an earlier process made."""
        for row in rows:
            self._rows.append(row)
            self._summarize(row)

    def record_start(self, weights: list[np.ndarray], discriminator: Arrays) -> None:
        """Save sheet and snapshot of what the training begins with."""
        self._folder.save_sheet(0, grid(self._draw(weights), self._columns))
        self._save_snapshot(0, discriminator)

    def record_snapshot(self, epoch: int, weights: list[np.ndarray], discriminator: Arrays) -> None:
        """Save the networks of an epoch and nothing else."""
        self._generator.set_weights(weights)
        self._save_snapshot(epoch, discriminator)

    def record_epoch(
        self, row: dict[str, Any], weights: list[np.ndarray], discriminator: Arrays | None
    ) -> None:
        """Save what an epoch leaves.

        Args:
            row: Point of the curves; has "epoch" and "step", and gets a "diversity".
            weights: Of the generator to sample from, as `get_weights` gives them.
            discriminator: By name, where a snapshot of both networks is due; None otherwise.

        Raises:
            TrainingStopped: A weight is not finite, and nothing is written; or the training
                has collapsed.
        """
        epoch, step = row["epoch"], row["step"]
        check_finite({f"generator/{i:03d}": array for i, array in enumerate(weights)}, step)
        check_finite(discriminator or {}, step)
        samples = self._draw(weights)
        row = row | {"diversity": diversity(samples, self._data_spread)}
        self._rows.append(row)
        self._folder.write_metrics(self._rows)
        self._summarize(row)
        sheet = grid(samples, self._columns)
        self._folder.save_sheet(epoch, sheet)
        if discriminator is not None:
            with tf.device("CPU:0"), self._summaries.as_default(step=step):
                tf.summary.image("samples", sheet[np.newaxis])
            self._save_snapshot(epoch, discriminator)
        check_epochs(self._rows, self._config)

    def close(self) -> None:
        """Write what TensorBoard's writer still holds."""
        self._summaries.close()

    def _summarize(self, row: dict[str, Any]) -> None:
        with tf.device("CPU:0"), self._summaries.as_default(step=row["step"]):
            for name in _CURVES:
                tf.summary.scalar(name, row[name])

    def _save_snapshot(self, epoch: int, discriminator: Arrays) -> None:
        config, spared = self._config, [*epochs_before_signs(self._rows), *self._spared()]
        every, kept = config.snapshot_epochs, config.snapshots_kept
        self._folder.save_snapshot(epoch, self._generator, discriminator, every, kept, spared)

    def _draw(self, weights: list[np.ndarray]) -> np.ndarray:
        """Draw what a sheet shows: uint8 [N, S, S, 3]."""
        with tf.device("CPU:0"):
            self._generator.set_weights(weights)
            return self._pixels(self._latents, self._labels).numpy()

    @tf.function(autograph=False)
    def _pixels(self, latents: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        return to_pixels(images_of(self._generator, latents, labels))
