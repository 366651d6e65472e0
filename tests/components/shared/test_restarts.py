"""Steps that crash in a pod, as real processes."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.shared import restarts
from components.shared.restarts import RESTARTS_VARIABLE

STEP = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
from components.shared import restarts
from components.shared.errors import *
from components.shared.process import task_process, stops_in_its_own_time
restarts._FIRST_PAUSE = float(sys.argv[2])
with task_process("train"):
    with open("tries", "a") as file:
        print(os.getpid(), file=file)
    tried = len(open("tries").readlines())
    exec(sys.argv[1])
"""
KILLED = "os.kill(os.getpid(), 9)"


@pytest.fixture
def start(tmp_path):
    """Start a step in a folder and group of its own: start(what it does, restarts, pause)."""
    started = []

    def start(action, restarts="2", pause=0.01):
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONUNBUFFERED": "1",
            RESTARTS_VARIABLE: restarts,
        }
        process = subprocess.Popen(
            [sys.executable, "-c", STEP, action, str(pause)],
            cwd=tmp_path, env=environment, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start):
    """Run such a step to its end; gives its exit code and the lines of its log."""

    def run(*arguments, **options):
        process = start(*arguments, **options)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output.splitlines()

    return run


@pytest.fixture
def tries(tmp_path):
    """Process ids of the tries so far."""
    return lambda: [int(line) for line in (tmp_path / "tries").read_text().splitlines()]


@pytest.mark.parametrize(
    ("action", "code", "end", "said"),
    [
        (
            KILLED,
            137,
            "killed by signal 9",
            "killed by signal 9 in restart 2 of 2: as where memory",
        ),
        ("os.abort()", 134, "killed by signal 6", "killed by signal 6 in restart 2 of 2"),
        ("os._exit(7)", 7, "ended with 7", "ended with 7 in restart 2 of 2"),
        ("1 / 0", 1, "ended with 1", "ZeroDivisionError: division by zero"),
        ("raise PipelineError('no disk')", 1, "ended with 1", "no disk"),
    ],
)
def test_a_crash_is_begun_again_so_many_times(run, tries, action, code, end, said):
    returned, log = run(action)
    assert returned == code
    assert len(set(tries())) == 3
    again = [line for line in log if "beginning again" in line]
    assert again == [f"[train] {end}: beginning again in 0 s ({n} of 2)" for n in (1, 2)]
    assert log[-1].startswith(f"[train] error {code}: {said}")


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("pass", 0),
        ("raise UsageError('no')", 2),
        ("raise OSError(28, 'No space left on device')", 2),
        ("raise DataRefused('no')", 3),
        ("raise TrainingStopped('no')", 4),
        ("raise NotBlessed('no')", 5),
        ("os.kill(os.getpid(), 2); time.sleep(60)", 130),
        ("os.kill(os.getpid(), 15); time.sleep(60)", 143),
    ],
)
def test_what_was_foreseen_ends_at_once(run, tries, action, code):
    returned, log = run(action)
    assert returned == code
    assert len(tries()) == 1
    assert "beginning again" not in "".join(log)


def test_it_goes_on_until_it_succeeds(run, tries):
    returned, log = run(f"if tried < 3: {KILLED}", restarts="9")
    assert returned == 0
    assert len(tries()) == 3
    assert log[-1].startswith("[train] done in ")


@pytest.mark.parametrize("restarts", ["", "0"])
def test_a_step_that_is_not_asked_to_has_no_child(start, tries, restarts):
    process = start(KILLED, restarts=restarts)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert tries() == [process.pid]


def test_pauses_grow(run):
    _, log = run(KILLED, pause=0.5)
    assert [line.partition("again in ")[2] for line in log[:2]] == ["0 s (1 of 2)", "1 s (2 of 2)"]


IN_ITS_OWN_TIME = """
with stops_in_its_own_time() as stop:
    print("ready", flush=True)
    while not stop.is_set():  # not `wait`, whose lock the handler may find held
        time.sleep(0.01)
    print("saved", flush=True)
    raise Terminated("stopped, with a checkpoint")
"""
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, lambda *_: print("heard", flush=True))
print("ready", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("tell", [os.kill, os.killpg])
def test_a_step_that_is_told_to_stop_saves_and_ends(start, tries, number, tell):
    process = start(IN_ITS_OWN_TIME)
    assert process.stdout.readline() == "ready\n"
    tell(process.pid, number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert output == "saved\n[train] error 143: stopped, with a checkpoint\n"
    assert len(tries()) == 1


def test_a_step_that_is_killed_when_it_does_not_stop_is_not_begun_again(start, tries):
    process = start(STUBBORN)
    assert process.stdout.readline() == "ready\n"
    os.killpg(process.pid, signal.SIGTERM)
    assert process.stdout.readline() == "heard\n"
    os.kill(tries()[0], signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output) == (137, "")
    assert len(tries()) == 1


def test_a_stop_between_two_tries_ends_at_once(start, tries):
    process = start(KILLED, pause=600)
    assert process.stdout.readline().endswith("beginning again in 600 s (1 of 2)\n")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert output == "[train] error 143: stopped while it waited to begin again\n"
    assert len(tries()) == 1


def test_the_step_ends_with_the_process_that_was_started(start, tries):
    process = start("print('ready', flush=True); time.sleep(600)")
    assert process.stdout.readline() == "ready\n"
    assert is_running(tries()[0])
    process.kill()
    assert tries() != [process.pid]
    wait_until_gone(tries()[0])


def test_what_a_killed_try_left_running_ends_too(run, tmp_path):
    """It would hold the memory, locks and GPU that the next try needs."""
    leave = "open('left', 'w').write(str(subprocess.Popen(['sleep', '600']).pid))"
    code, _ = run(f"if tried == 1: {leave}; {KILLED}")
    assert code == 0
    wait_until_gone(int((tmp_path / "left").read_text()))


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until_gone(pid):
    deadline = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


IN_KFP = """
from typing import NamedTuple
from components.shared import restarts
restarts._FIRST_PAUSE = 0.01

def step(word: str) -> NamedTuple("Said", [("twice", str)]):
    import os
    threads = len(os.listdir("/proc/self/task"))
    from components.shared.process import task_process
    with task_process("ingest"):
        with open("tries", "a") as file:
            print(threads, file=file)
        if len(open("tries").readlines()) < 3:
            os.kill(os.getpid(), 9)
        return (2 * word,)
"""


def test_kfp_gets_the_outputs_of_the_try_that_succeeds(tmp_path):
    """And it has one thread when it calls the step, so that the fork is safe."""
    (tmp_path / "step.py").write_text(IN_KFP)
    outputs = {"outputFile": "out/executor_output.json"}
    given = {
        "inputs": {"parameterValues": {"word": "ha"}},
        "outputs": outputs | {"parameters": {"twice": {"outputFile": "out/twice"}}},
    }
    done = subprocess.run(
        [sys.executable, "-m", "kfp.dsl.executor_main", "--component_module_path", "step.py",
         "--function_to_execute", "step", "--executor_input", json.dumps(given)],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | {
            "PYTHONPATH": os.pathsep.join(sys.path), "_KFP_RUNTIME": "true", RESTARTS_VARIABLE: "2",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("[ingest] killed by signal 9: beginning again") == 2
    assert done.stdout.count("Got executor_input") == 1
    assert (tmp_path / "tries").read_text().split() == ["1", "1", "1"]
    written = json.loads((tmp_path / "out" / "executor_output.json").read_text())
    assert written["parameterValues"] == {"twice": "haha"}


def test_a_file_and_its_lock_outlive_a_crash(run):
    action = f"""
import fcntl
file = restarts.kept_open("turn")
assert (file is None) == (tried == 1), tried
if file is None:
    file = open("lock", "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    restarts.keep_open("turn", file)
other = open("lock", "w")
try:
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("held", flush=True)
if tried < 3: {KILLED}
"""
    returned, log = run(action)
    assert returned == 0, log
    assert log.count("held") == 3


def test_a_lock_is_held_between_two_tries(start, tmp_path):
    action = f"""
import fcntl
file = restarts.kept_open("turn") or open("lock", "w")
fcntl.flock(file, fcntl.LOCK_EX)
restarts.keep_open("turn", file)
{KILLED}
"""
    process = start(action, restarts="1", pause=60)
    for line in process.stdout:
        if "beginning again" in line:
            break
    with (tmp_path / "lock").open("w") as other:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.terminate()
        assert process.wait(60) == 143
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_without_a_parent_nothing_is_kept_and_nothing_fails(tmp_path):
    with (tmp_path / "lock").open("w") as file:
        restarts.keep_open("turn", file)
    assert restarts.kept_open("turn") is None


@pytest.mark.parametrize("value", ["-1", "abc", "1.5"])
def test_a_number_of_restarts_that_is_none_is_refused(run, tmp_path, value):
    returned, log = run("pass", restarts=value)
    assert returned == 2
    assert log == [f"[train] error 2: $DCGAN_RESTARTS is '{value}': set a whole number, or nothing"]
    assert not (tmp_path / "tries").exists()


def test_it_ends_where_its_starter_ignores_the_ends_of_children(start):
    handler = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # a child inherits that
    try:
        process = start("pass")
        output = process.stdout.read()
    finally:
        signal.signal(signal.SIGCHLD, handler)
    assert "done in" in output
