import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf

from components.evaluate.config import EvaluateConfig
from components.shared.errors import DataRefused
from components.shared.process import (
    LogLine,
    parse_log_line,
    stops_in_its_own_time,
    storage_error,
    task_process,
)


def test_log_line_of_a_step_is_read_back(capsys):
    with task_process("train") as process:
        process.imported()
    line = parse_log_line(capsys.readouterr().out)
    assert line is not None
    assert line.task == "train"
    assert line.seconds is not None
    assert line.exit_code is None


def test_foreseen_error_is_one_line_and_its_exit_code(capsys):
    with pytest.raises(SystemExit) as exit_info, task_process("ingest"):
        raise DataRefused("no pictures\nin /empty")
    assert exit_info.value.code == 3
    line = parse_log_line(capsys.readouterr().out)
    assert line == LogLine("ingest", "no pictures in /empty", exit_code=3)


def test_a_wrong_parameter_of_a_run_is_named(capsys):
    with pytest.raises(SystemExit) as exit_info, task_process("validate"):
        EvaluateConfig(samples=16.0, max_kid=-1)
    assert exit_info.value.code == 2
    line = parse_log_line(capsys.readouterr().out)
    assert line.message.startswith("evaluate_config.max_kid (=-1): ")
    assert line.message.endswith("; give this parameter of the run another value")


def test_unforeseen_error_keeps_its_traceback(capsys):
    with pytest.raises(ZeroDivisionError), task_process("train"):
        _ = 1 / 0
    line = parse_log_line(capsys.readouterr().out)
    assert line == LogLine("train", "ZeroDivisionError: division by zero", exit_code=1)


def test_full_disk_is_found_below_the_exception_that_hides_it():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/small/a")
        except OSError as cause:
            raise RuntimeError("bundle failed") from cause
    except RuntimeError as error:
        found = storage_error(error)
    assert found is not None
    assert found.exit_code == 2
    assert "/small/a" in str(found)
    assert storage_error(FileNotFoundError(errno.ENOENT, "gone")) is None


def test_full_disk_is_found_in_what_copytree_gathers():
    gathered = shutil.Error([("a", "b", str(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))])
    assert "no space left" in str(storage_error(gathered))


def test_full_disk_is_found_in_what_tensorflow_raises():
    error = tf.errors.ResourceExhaustedError(None, None, f"ckpt; {os.strerror(errno.ENOSPC)}")
    found = storage_error(error)
    assert found is not None
    assert found.exit_code == 2


def test_permission_denied_is_no_matter_of_room():
    found = storage_error(PermissionError(errno.EACCES, "Permission denied", "/faces"))
    assert str(found) == "permission denied (/faces): allow it, or choose another path"


def test_storage_that_was_handled_is_not_blamed():
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError:
            raise ValueError("something else") from None
    except ValueError as error:
        assert storage_error(error) is None


@pytest.mark.parametrize("line", ["", "    {", "[KFP Executor 2026 INFO]: x", "train: hello"])
def test_lines_of_others_are_passed_over(line):
    assert parse_log_line(line) is None


def test_sigterm_is_one_line_and_its_exit_code():
    step = (
        "import time; from components.shared.process import task_process\n"
        "with task_process('ingest'): print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", step], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        line = parse_log_line(child.stdout.read())
    assert child.returncode == 143
    assert line.exit_code == 143
    assert line.message.startswith("stopped by SIGTERM; the same command")


SLOW = """
import sys, time
from components.shared.errors import Terminated
from components.shared.process import task_process, stops_in_its_own_time
with task_process("train"), stops_in_its_own_time() as stop:
    print("ready", flush=True)
    while not stop.is_set():  # not `wait`, whose lock the handler may find held
        time.sleep(0.01)
    time.sleep(1)
    open(sys.argv[1], "w").write("saved")
    raise Terminated("stopped, with a checkpoint")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_step_that_stops_in_its_own_time_is_not_interrupted(tmp_path, number):
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path / "saved")], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "ready\n"
        child.send_signal(number)
        time.sleep(0.2)
        child.send_signal(number)  # impatience changes nothing
        output = child.stdout.read()
    assert child.returncode == 143
    assert output == "[train] error 143: stopped, with a checkpoint\n"
    assert (tmp_path / "saved").exists()


def test_a_signal_while_another_is_handled_does_not_lock_up(monkeypatch):
    with stops_in_its_own_time() as stop:
        calls = []
        monkeypatch.setattr(
            stop, "set", lambda: (calls.append("set"), signal.raise_signal(signal.SIGTERM))
        )
        signal.raise_signal(signal.SIGTERM)
    assert calls == ["set"]


def test_handlers_are_as_before_after_a_step(capsys):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with task_process("train"), stops_in_its_own_time():
        pass
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


AT_ONCE = """
import time
from components.shared.process import task_process
with task_process('train'):
    print('ready', flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("step", [AT_ONCE, SLOW], ids=["at once", "in its own time"])
def test_step_ends_when_its_parent_is_gone(tmp_path, step):
    parent = (
        "import fcntl, os, subprocess, sys\n"
        "lock = open(sys.argv[1], 'w'); fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "os.environ['DCGAN_PARENT_LOCK'] = sys.argv[1]\n"
        "child = subprocess.Popen([sys.executable, '-c', *sys.argv[2:]])\n"
        "print(child.pid, flush=True); child.wait()"
    )
    arguments = [str(tmp_path / "lock"), step, str(tmp_path / "saved")]
    with subprocess.Popen(
        [sys.executable, "-c", parent, *arguments], stdout=subprocess.PIPE
    ) as process:
        child_pid = int(process.stdout.readline())
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while _is_running(child_pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _is_running(child_pid)
    assert (tmp_path / "saved").exists() == (step == SLOW)


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
