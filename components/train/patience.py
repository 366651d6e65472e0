"""When to stop: the KID of snapshots, which a process of its own works out meanwhile.

What is decided after an epoch rests on the snapshots before its own. So the training seldom waits,
and a resumed one, which finds or makes the same figures, stops where an uninterrupted one does.
"""

import contextlib
import json
import logging
import math
import os
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from components.shared.errors import PipelineError, one_line
from components.train.config import TrainConfig
from components.train.training_folder import TrainingFolder

LOG = logging.getLogger("dcgan.train")
_PROGRAM = "components.train.snapshot_kid"
SAMPLES = 500  # of each, and as many pictures of the training, or all
_SCORED = 5  # snapshots in `train.patience` epochs, at most
_LONGEST_CAUSE = 300  # characters of what the program says when it fails


class Patience:
    """Has snapshots scored, one after the other, and knows when nothing is gained any more.

    A snapshot gains where its KID is below that of the last one that gained by more than chance
    gives: several small steps, none of them beyond chance, become a gain in the end.
    """

    def __init__(
        self, folder: TrainingFolder, records: Path, config: TrainConfig, epochs_done: int
    ) -> None:
        """Take up what was found before.

        Args:
            folder: Where the training lives; who does not write there scores nothing.
            records: Folder written by ingest.
            config: Settings of this step.
            epochs_done: Whole epochs, as of the checkpoint that the training goes on from.
        """
        self._folder, self._records, self._patience = folder, records, config.patience
        self._on = config.patience > 0 and folder.writes
        apart = math.ceil(config.patience / (_SCORED * config.snapshot_epochs))
        self._every = config.snapshot_epochs * max(1, apart)
        self._rows = folder.read_kids(epochs_done) if self._on else []
        if self._rows and not folder.has_snapshot(_gained(self._rows)):
            self._rows = []  # it went while patience was off: those that are left are scored anew
        self._begun: dict[int, Future[None]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="patience")
        self._process: subprocess.Popen[str] | None = None
        self._at_the_end = contextlib.ExitStack()
        self._closed = False

    def is_due(self, epoch: int) -> bool:
        """Whether the snapshot of an epoch is to be scored, and the end to be decided on."""
        return self._patience > 0 and epoch % self._every == 0

    def score(self, epoch: int, written: "Future[None] | None" = None) -> None:
        """Have a due epoch's snapshot scored, unless it is, as soon as it is `written`."""
        known = {row["epoch"] for row in self._rows} | self._begun.keys()
        if self._on and self.is_due(epoch) and epoch not in known:
            self._begun[epoch] = self._thread.submit(self._score, epoch, written)

    def catch_up(self, epochs_done: int) -> None:
        """Have those of so many epochs scored that an earlier process did not come to."""
        if not self._on:
            return
        for epoch in range(0, epochs_done + 1, self._every):
            if self._folder.has_snapshot(epoch):
                self.score(epoch)

    def wait(self) -> None:
        """Wait until all is scored that was begun.

        Raises:
            PipelineError: A snapshot could not be scored.
        """
        for future in [*self._begun.values()]:
            future.result()

    def last_gain(self, epoch: int) -> int | None:
        """Epoch that gained last, where that was `train.patience` epochs ago; None otherwise.

        By the snapshots before that of `epoch`, which is due. Waits for them.

        Raises:
            PipelineError: A snapshot could not be scored.
        """
        self.catch_up(epoch - self._every)
        self.wait()
        rows = [row for row in self._rows if row["epoch"] < epoch]
        gained = _gained(rows)
        return gained if rows and rows[-1]["epoch"] - gained >= self._patience else None

    @property
    def newest_kid(self) -> float | None:
        """KID of the snapshot that was scored last; None where there is none."""
        return self._rows[-1]["kid"] if self._rows else None

    def spared(self) -> set[int]:
        """Epochs whose snapshots stay: the best so far, that which gained last, those to score."""
        epochs = {epoch for epoch, future in [*self._begun.items()] if not future.done()}
        if finite := [row for row in self._rows if row["kid"] is not None]:
            epochs.add(min(finite, key=lambda row: row["kid"])["epoch"])
        return epochs | {_gained(self._rows)} if self._rows else epochs

    def close(self) -> None:
        """End the process; what it was at is begun again by whoever goes on."""
        self._closed = True  # for a process that is being started
        if self._process is not None:
            self._process.kill()
        self._thread.shutdown(cancel_futures=True)
        with contextlib.suppress(BrokenPipeError):  # of a question that nobody read
            self._at_the_end.close()

    def _score(self, epoch: int, written: "Future[None] | None") -> None:
        if written is not None:
            written.result()
            if not self._folder.has_snapshot(epoch):  # whoever writes says why
                return
        best = self._folder.snapshot(_gained(self._rows)) if self._rows else None
        row = {"epoch": epoch, **self._ask(self._folder.snapshot(epoch), best)}
        self._rows = [*self._rows, row]
        self._folder.write_kids(self._rows)
        if row["kid"] is None:
            LOG.info("snapshot of epoch %d: its pictures are not finite numbers", epoch)
        else:
            kid, interval = row["kid"], row["kid_interval"]
            LOG.info("snapshot of epoch %d: KID %.3f ± %.3f", epoch, kid, interval)

    def _ask(self, snapshot: Path, best: Path | None) -> dict[str, Any]:
        process = self._process = self._process or self._start()
        if self._closed:
            process.kill()
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            paths = [str(snapshot), best and str(best)]
            print(json.dumps(paths), file=process.stdin, flush=True)
        if not (answer := process.stdout.readline()):
            self._stderr.seek(0)
            said = one_line(self._stderr.read().strip()[-_LONGEST_CAUSE:])
            raise PipelineError(
                f"cannot work out the KID of {snapshot} for train.patience (={self._patience}), by "
                f"a process that ended with {process.wait()}: {said or 'it said nothing'}; begin "
                "the same run again, which goes on, or set train.patience=0"
            )
        found: dict[str, Any] = json.loads(answer)
        return found

    def _start(self) -> subprocess.Popen[str]:
        self._stderr = self._at_the_end.enter_context(
            tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        )
        process = subprocess.Popen(
            [sys.executable, "-m", _PROGRAM, str(self._records), str(SAMPLES)],
            # Neither the training's GPU nor its other workers.
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CONFIG": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the training
        )
        return self._at_the_end.enter_context(process)


def _gained(rows: list[dict[str, Any]]) -> int:
    """Epoch of the last of them that gained; the first one always does."""
    return max((row["epoch"] for row in rows if row["gain"]), default=0)
