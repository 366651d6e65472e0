import threading
import time

import pytest

from components.train.writer import Writer


def test_jobs_are_done_in_order_and_before_the_end():
    done = []
    with Writer() as writer:
        for index in range(20):
            writer.submit(lambda i=index: (time.sleep(0.001), done.append(i)))
        writer.flush()
        assert done == list(range(20))
        writer.submit(done.append, 20)
    assert done == list(range(21))


def test_training_does_not_wait_for_a_few_jobs_but_for_many():
    go, done = threading.Event(), []
    with Writer() as writer:
        writer.submit(go.wait)
        started = time.monotonic()
        for index in range(3):
            writer.submit(done.append, index)
        assert time.monotonic() - started < 0.5
        threading.Timer(0.5, go.set).start()
        writer.submit(done.append, 3)
        assert time.monotonic() - started >= 0.4
    assert done == [0, 1, 2, 3]


def test_error_reaches_the_training_and_nothing_is_written_after_it():
    def fail():
        raise OSError(28, "No space left on device")

    done = []
    with Writer() as writer:
        begin = threading.Event()
        writer.submit(begin.wait)
        writer.submit(fail)
        writer.submit(done.append, "checkpoint")
        begin.set()
        for wait in (writer.flush, writer.check, lambda: writer.submit(done.append, 1)):
            with pytest.raises(OSError, match="No space left"):
                wait()
    assert not done
