"""Work in threads ahead of its user."""

import subprocess
import sys
import threading
import time

import pytest

from components.train.ahead import ahead


def threads():
    return [thread for thread in threading.enumerate() if thread is not threading.main_thread()]


@pytest.fixture(autouse=True)
def no_thread_stays():
    before = threads()
    yield
    assert threads() == before


def test_results_come_in_order_though_the_first_take_longest():
    def work(item):
        time.sleep(0.002 * (20 - item))
        return -item

    assert list(ahead(work, range(20), threads=8, depth=16)) == [-item for item in range(20)]


def test_as_many_items_are_worked_on_at_once_as_there_are_threads():
    met = threading.Barrier(4, timeout=10)
    assert len(list(ahead(lambda _: met.wait(), range(8), threads=4, depth=4))) == 8


def test_no_more_items_are_taken_than_wanted():
    taken = []
    results = ahead(lambda item: item, (taken.append(item) or item for item in range(9)), 2, 3)
    assert taken == []
    assert next(results) == 0
    assert taken == [0, 1, 2, 3]
    assert next(results) == 1
    assert taken == [0, 1, 2, 3, 4]
    results.close()


def test_an_error_is_raised_in_its_turn():
    results = ahead(lambda item: 1 // (3 - item), range(9), threads=4, depth=8)
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_an_error_of_the_items_ends_the_threads():
    results = ahead(lambda item: item, (1 // (1 - item) for item in range(9)), 2, 0)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("failing", [True, False])
def test_a_disk_that_hangs_does_not_keep_the_process_from_its_end(failing):
    code = (
        "import os, threading\n"
        "from components.train.ahead import ahead\n"
        "never, _ = os.pipe()\n"
        "items = ahead(lambda item: item and os.read(never, 1), range(9), threads=4, depth=4)\n"
        f"print(next(items), flush=True)\nif {failing}: raise SystemExit(7)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (7 if failing else 0, "0\n"), done.stderr
