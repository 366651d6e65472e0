import io

import pytest

from components.shared.process import LogLine
from pipeline.task_log import TaskLog


def test_everything_goes_to_the_file_and_our_lines_to_the_person():
    file, shown = io.StringIO(), []
    log = TaskLog(file, shown.append)
    for part in ("    ", "[train] epoch 1/3", "\n", "13:00 - INFO - Executing task\n    [train] d"):
        log.write(part)
    log.write("one in 3.0 s, imports 1.5 s\n    [ingest] error 3: no pictures in /x\n")
    assert shown == [LogLine("train", "epoch 1/3")]
    assert log.seconds == {"train": (3.0, 1.5)}
    assert log.error == LogLine("ingest", "no pictures in /x", exit_code=3)
    assert "Executing task" in file.getvalue()


def test_stopped_log_interrupts_whoever_writes_next():
    log = TaskLog(io.StringIO(), lambda line: None)
    log.write("[train] epoch 1/3\n")
    log.stop()
    with pytest.raises(KeyboardInterrupt):
        log.write("[train] epoch 2/3\n")
