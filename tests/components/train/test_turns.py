"""Trainings of one queue wait for one another."""

import errno
import fcntl
import logging
import threading

import pytest

from components.train.config import TrainConfig
from components.train.step import train
from components.train.training_state import try_lock
from components.train.turns import our_turn
from tests.components.train.test_checkpoint_root import holder

SECONDS = 60  # for what a thread should do soon
CONFIG = TrainConfig(
    epochs=1, batch_size=8, base_width=16, latent_size=8, precision="float32", queue="weekly"
)


class Waiting(logging.Handler):
    """Says when somebody waits, and what was said."""

    def __init__(self):
        super().__init__()
        self.seen, self.lines = threading.Event(), []

    def emit(self, record):
        self.lines.append(record.getMessage())
        if self.lines[-1].startswith("waiting"):
            self.seen.set()


@pytest.fixture
def log():
    """What the train step says."""
    logger, handler = logging.getLogger("dcgan.train"), Waiting()
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)
    yield handler
    logger.setLevel(before)
    logger.removeHandler(handler)


def queue_of(root):
    with our_turn(root, "weekly"):
        (folder,) = (root / ".queues").iterdir()
    return folder


def test_a_training_waits_for_the_one_before(inputs, tmp_path, log):
    root, found = tmp_path / "checkpoints", []
    other = holder(queue_of(root))

    def look_then_end_the_other():
        assert log.seen.wait(SECONDS)
        found.extend(path.name for path in root.iterdir())
        other.kill()

    thread = threading.Thread(target=look_then_end_the_other)
    with other:
        thread.start()
        train(*inputs, tmp_path / "training", root, "code", CONFIG)  # catches signals: no thread
        thread.join()
    assert found == [".queues"], "nothing is begun"
    assert (tmp_path / "training").exists()
    assert [line for line in log.lines if "queue" in line] == [
        "waiting: another training of the queue 'weekly' is under way",
        "our turn in the queue 'weekly'",
    ]


def test_a_turn_ends_with_its_process_however_that_ends(tmp_path, log):
    other, had_it = holder(queue_of(tmp_path)), threading.Event()

    def wait():
        with our_turn(tmp_path, "weekly"):
            had_it.set()

    with other:
        thread = threading.Thread(target=wait)
        thread.start()
        assert log.seen.wait(SECONDS)
        assert not had_it.is_set()
        other.kill()
        thread.join(SECONDS)
        assert had_it.is_set()


@pytest.mark.parametrize("queue", ["", "monthly"])
def test_others_do_not_wait(tmp_path, log, queue):
    with our_turn(tmp_path, "weekly"), our_turn(tmp_path, queue):
        assert not log.lines


def test_no_queue_leaves_nothing(tmp_path):
    with our_turn(tmp_path, ""):
        assert not list(tmp_path.iterdir())


def test_without_locks_nobody_waits_and_a_line_says_so(tmp_path, log, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with our_turn(tmp_path, "weekly"):
        (line,) = log.lines
    assert "no locks here" in line


def test_another_error_than_that_of_no_locks_passes(tmp_path, log, monkeypatch):
    stale, flock = [OSError(errno.ESTALE, "Stale file handle")], fcntl.flock

    def sometimes(*arguments):
        if stale:
            raise stale.pop()
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", sometimes)
    monkeypatch.setattr("components.train.turns._SECONDS_BETWEEN_LOOKS", 0)
    with our_turn(tmp_path, "weekly"):
        assert log.lines[-1] == "our turn in the queue 'weekly'"
        (folder,) = (tmp_path / ".queues").iterdir()
        assert try_lock(folder) is None
