"""What an epoch leaves to look at: a point of the curves, a sheet, perhaps a snapshot."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from components.shared.contracts import TENSORBOARD
from components.shared.normalization import to_pixels
from components.shared.pictures import grid
from components.train.checkpoints import check_finite
from components.train.config import TrainConfig
from components.train.networks import build_generator
from components.train.trainer import SHEET_SIDE
from components.train.training_folder import TrainingFolder

_CURVES = ("discriminator_loss", "generator_loss", "images_per_second")


class Recorder:
    """Draws with a twin of the generator, so that the original can train on meanwhile."""

    def __init__(
        self, folder: TrainingFolder, config: TrainConfig, image_size: int, latents: tf.Tensor
    ) -> None:
        """Make the twin, float32 on the CPU.

        Args:
            folder: Folder of the training.
            config: Knobs of this step.
            image_size: Side of the pictures in pixels.
            latents: float32 [16, latent_size], the same for each sheet.
        """
        self._folder, self._config = folder, config
        with tf.device("CPU:0"):
            self._generator = build_generator(config, image_size)
            self._latents = tf.identity(latents)
        self._summaries = (
            tf.summary.create_file_writer(str(folder.path / TENSORBOARD))
            if folder.writes
            else tf.summary.create_noop_writer()
        )

    def replay(self, rows: Iterable[dict[str, Any]]) -> None:
        """Give TensorBoard the points of the curves that an earlier process made."""
        for row in rows:
            self._summarize(row)

    def record_start(self, weights: list[np.ndarray]) -> None:
        """Save the sheet of the untrained generator."""
        self._folder.save_sheet(0, self._draw_sheet(weights))

    def record_snapshot(self, epoch: int, weights: list[np.ndarray]) -> None:
        """Save the generator of an epoch and nothing else."""
        self._generator.set_weights(weights)
        self._folder.save_snapshot(epoch, self._generator, self._config.snapshots_kept)

    def record_epoch(
        self, row: dict[str, Any], weights: list[np.ndarray], snapshot_due: bool
    ) -> None:
        """Save what an epoch leaves.

        Args:
            row: Point of the curves; has "epoch" and "step".
            weights: Of the generator to sample from, as `get_weights` gives them.
            snapshot_due: Whether to save that generator, too.

        Raises:
            TrainingStopped: A weight is not finite; nothing is written.
        """
        epoch, step = row["epoch"], row["step"]
        check_finite({f"generator/{i:03d}": array for i, array in enumerate(weights)}, step)
        self._folder.add_metrics(row)
        self._summarize(row)
        sheet = self._draw_sheet(weights)
        self._folder.save_sheet(epoch, sheet)
        if snapshot_due:
            with tf.device("CPU:0"), self._summaries.as_default(step=step):
                tf.summary.image("samples", sheet[np.newaxis])
            self._folder.save_snapshot(epoch, self._generator, self._config.snapshots_kept)

    def close(self) -> None:
        """Write what TensorBoard's writer still holds."""
        self._summaries.close()

    def _summarize(self, row: dict[str, Any]) -> None:
        with tf.device("CPU:0"), self._summaries.as_default(step=row["step"]):
            for name in _CURVES:
                tf.summary.scalar(name, row[name])

    def _draw_sheet(self, weights: list[np.ndarray]) -> np.ndarray:
        """Draw the latents in a grid: uint8 [4·(S + 2) + 2, 4·(S + 2) + 2, 3]."""
        with tf.device("CPU:0"):
            self._generator.set_weights(weights)
            pixels = self._draw(self._latents).numpy()
        return grid(pixels, SHEET_SIDE)

    @tf.function
    def _draw(self, latents: tf.Tensor) -> tf.Tensor:
        return to_pixels(self._generator(latents, training=False))
