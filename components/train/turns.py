"""One training after another, where several must not train at once."""

import contextlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from components.shared.files import digest_of
from components.train.training_folder import try_lock

LOG = logging.getLogger("dcgan.train")
_QUEUES = ".queues"
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_LINES = 600.0


@contextlib.contextmanager
def our_turn(checkpoint_root: Path, queue: str) -> Iterator[None]:
    """Wait until no other training of this queue is under way; keep others waiting meanwhile.

    Whoever holds the turn gives it back by ending, however it ends.

    Args:
        checkpoint_root: Folder that all of them share.
        queue: Any text; an empty one waits for none.
    """
    if not queue:
        yield
        return
    folder = checkpoint_root / _QUEUES / digest_of(queue)[:16]
    folder.mkdir(parents=True, exist_ok=True)
    said = None
    try:
        while (turn := try_lock(folder)) is None:
            if said is None or time.monotonic() - said > _SECONDS_BETWEEN_LINES:
                LOG.info("waiting: another training of the queue %r is under way", queue)
                said = time.monotonic()
            time.sleep(_SECONDS_BETWEEN_LOOKS)
    except OSError as error:
        LOG.info("not waiting for others of the queue %r: no locks here (%s)", queue, error)
        turn = None
    if said is not None:
        LOG.info("our turn in the queue %r", queue)
    with turn or contextlib.nullcontext():
        yield
