"""Rates and the time left, as a person reads them in the log."""

import logging
import time
from typing import Any

from components.train.config import TrainConfig

LOG = logging.getLogger("dcgan.train")
_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Rates, the time left, and a line about them every few seconds."""

    def __init__(self, config: TrainConfig, total: int, first_step: int) -> None:
        """Start counting at `first_step` of `total` steps."""
        self._config, self._total = config, total
        self._line = self._epoch = (time.monotonic(), first_step)

    def is_due(self) -> bool:
        """Whether it is time for a line."""
        return time.monotonic() - self._line[0] >= _SECONDS_BETWEEN_LINES

    def share(self, done: int, seconds: float) -> float:
        """Share of the training that is over, 0 to 1: of its steps or minutes, the larger one.

        Args:
            done: Steps done.
            seconds: Training time that they took.
        """
        limit = 60 * self._config.minutes
        return min(1.0, max(done / self._total, seconds / limit if limit else 0.0))

    def show(
        self,
        done: int,
        steps_per_epoch: int,
        means: dict[str, float],
        seconds: float,
        kid: float | None = None,
    ) -> dict[str, Any]:
        """Log a line after `done` steps and so much training time, with mean losses and KID.

        Returns:
            The same for a program: steps and epoch, pictures per second, seconds left, and the
            `share` that is over.
        """
        rate, self._line = self._rate(self._line, done)
        epoch = -(-done // steps_per_epoch)
        left = (self._total - done) * self._config.batch_size / rate
        place = f"epoch {epoch}/{self._config.epochs} step {done}/{self._total}"
        share = self.share(done, seconds)
        if self._config.minutes:
            left = max(0.0, min(left, 60 * self._config.minutes - seconds))
            place = f"epoch {epoch} step {done} ({share:.0%})"
        LOG.info(
            "%s %.0f img/s D %.2f G %.2f%s left %s", place, rate,
            means["discriminator_loss"], means["generator_loss"],
            "" if kid is None else f" KID {kid:.2f}", clock(left),
        )  # fmt: skip
        return {
            "step": done,
            "epoch": epoch,
            "images_per_second": round(rate, 1),
            "seconds_left": round(left, 1),
            "share": round(share, 4),
        }

    def end_epoch(self, done: int) -> tuple[float, float]:
        """Seconds that the epoch took, and its pictures per second."""
        started = self._epoch[0]
        rate, self._epoch = self._rate(self._epoch, done)
        return self._epoch[0] - started, rate

    def show_epoch(self, epoch: int, seconds: float) -> None:
        """Log how long an epoch took, unless they follow one another too fast to read."""
        if seconds >= _SECONDS_BETWEEN_LINES:
            LOG.info("epoch %d took %s", epoch, clock(seconds))

    def _rate(self, since: tuple[float, int], done: int) -> tuple[float, tuple[float, int]]:
        now = (time.monotonic(), done)
        seconds = max(now[0] - since[0], 1e-9)
        return (done - since[1]) * self._config.batch_size / seconds, now


def clock(seconds: float) -> str:
    """Seconds in a person's words, such as 4m30s."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"
