"""One training after another, where several must not train at once."""

import contextlib
import errno
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from components.shared.files import digest_of
from components.shared.restarts import keep_open, kept_open
from components.train.training_state import try_lock

LOG = logging.getLogger("dcgan.train")
_QUEUES = ".queues"
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_LINES = 600.0
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}


@contextlib.contextmanager
def our_turn(checkpoint_root: Path, queue: str) -> Iterator[None]:
    """Wait until no other training of this queue is under way; keep others waiting meanwhile.

    Whoever has the turn gives it back by ending, however it ends; a step that crashes and begins
    again keeps it.

    Args:
        checkpoint_root: Folder that all of them share.
        queue: Any text; an empty one waits for none.
    """
    if not queue:
        yield
        return
    folder = checkpoint_root / _QUEUES / digest_of(queue)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    turn = kept_open(str(folder)) or _wait_for_turn(folder, queue)
    if turn:
        keep_open(str(folder), turn)
    with turn or contextlib.nullcontext():
        yield


def _wait_for_turn(folder: Path, queue: str) -> IO[str] | None:
    """Wait; None, and a line in the log, where the file system has no locks."""
    said = None
    while True:
        try:
            if turn := try_lock(folder):
                break
        except OSError as error:  # others pass, as when a network's share comes back
            if error.errno in _NO_LOCKS:
                LOG.info("not waiting for others of the queue %r: no locks here (%s)", queue, error)
                return None
        if said is None or time.monotonic() - said > _SECONDS_BETWEEN_LINES:
            LOG.info("waiting: another training of the queue %r is under way", queue)
            said = time.monotonic()
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if said is not None:
        LOG.info("our turn in the queue %r", queue)
    return turn
