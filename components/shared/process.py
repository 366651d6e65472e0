"""What surrounds a task in the process that runs it: log lines, errors, timing.

A task speaks to whoever started it through its log alone, which reads the same from
a subprocess, a container or a pod:

    [train] epoch 3/50 …
    [train] done in 301.2 s, imports 6.3 s
    [ingest] error 3: no pictures in /data/empty …
"""

import contextlib
import errno
import fcntl
import logging
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from pydantic import ValidationError

from components.shared.errors import PipelineError, Terminated, UsageError, one_line
from components.shared.restarts import go_on_in_child

PARENT_LOCK_VARIABLE = "DCGAN_PARENT_LOCK"  # path of a file that a local run keeps locked
SECONDS_TO_STOP = 60.0  # for a task whose parent is gone

# Set by `stops_in_its_own_time`: what SIGTERM then sets, instead of ending the process.
_stop_request: threading.Event | None = None

_LINE = re.compile(r"\[(?P<task>[a-z]+)\] (?P<message>.*)")
_DONE = re.compile(r"done in (?P<work>[\d.]+) s, imports (?P<imports>[\d.]+) s")
_ERROR = re.compile(r"error (?P<code>\d+): (?P<message>.*)")
_STORAGE_ERRORS = {
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "disk quota used up",
    errno.EROFS: "read-only file system",
}


class LogLine(NamedTuple):
    """One line of a task's log; at most one of `seconds` and `exit_code` is set."""

    task: str
    message: str
    seconds: tuple[float, float] | None = None  # own work, imports
    exit_code: int | None = None


def parse_log_line(line: str) -> LogLine | None:
    """Read a line that a task wrote; None for what anybody else wrote."""
    match = _LINE.fullmatch(line.strip())
    if not match:
        return None
    task, message = match["task"], match["message"]
    if done := _DONE.fullmatch(message):
        return LogLine(task, message, seconds=(float(done["work"]), float(done["imports"])))
    if error := _ERROR.fullmatch(message):
        return LogLine(task, error["message"], exit_code=int(error["code"]))
    return LogLine(task, message)


class TaskProcess:
    """Handle that a component's body gets from `task_process`."""

    def __init__(self) -> None:
        """Start counting; what comes before `imported` counts as imports."""
        self._started = self._imported = time.monotonic()

    def imported(self) -> None:
        """Say that the imports are over and the task's own work begins."""
        self._imported = time.monotonic()

    def summary(self) -> str:
        """The closing line of a task's log."""
        work = time.monotonic() - self._imported
        return f"done in {work:.1f} s, imports {self._imported - self._started:.1f} s"


@contextlib.contextmanager
def task_process(task: str) -> Iterator[TaskProcess]:
    """Log, time and end the process that runs one task.

    An error foreseen by us, storage that ran out, or SIGTERM becomes one line and its exit
    code; anything else keeps its traceback and ends with 1. Where `restarts` asks for it, the
    block runs in a child of this process, which begins it again after a crash.
    """
    log = _start_log(task)
    usual = signal.signal(signal.SIGTERM, lambda *_: _terminate(task))
    try:
        go_on_in_child()
        _end_with_parent(task)
        process = TaskProcess()
        yield process
    except Exception as error:
        known = _as_pipeline_error(error)
        if known is None:
            log.info("error 1: %s: %s", type(error).__name__, one_line(error))
            raise
        log.info("error %d: %s", known.exit_code, one_line(known))
        sys.exit(known.exit_code)
    finally:
        signal.signal(signal.SIGTERM, usual)
    log.info(process.summary())


@contextlib.contextmanager
def stops_in_its_own_time() -> Iterator[threading.Event]:
    """Have SIGTERM and Ctrl-C set the event that is given, while the block runs.

    The block looks at it, saves what would be lost, and raises `Terminated`. It should
    write to the log only then: a local run that was stopped ends at the next line.
    """
    global _stop_request  # noqa: PLW0603 signals belong to the whole process
    stop = _stop_request = threading.Event()
    asked = False

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if not asked:  # a second signal within `set` would wait for the lock of the first
            asked = True
            stop.set()

    usual = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        _stop_request = None


def storage_error(error: BaseException) -> UsageError | None:
    """Find in a chain of exceptions the storage that ran out or may not be used."""
    seen: BaseException | None = error
    while seen is not None:
        where = f" ({seen.filename})" if isinstance(seen, OSError) and seen.filename else ""
        if code := _storage_errno(seen):
            return UsageError(
                f"{_STORAGE_ERRORS[code]}{where}: make room, or choose another folder"
            )
        if isinstance(seen, PermissionError):
            return UsageError(f"permission denied{where}: allow it, or choose another path")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None


def _storage_errno(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in _STORAGE_ERRORS else None
    # shutil.copytree and TensorFlow (ResourceExhaustedError) tell it as text.
    texts = {code: os.strerror(code) for code in _STORAGE_ERRORS}
    return next((code for code, text in texts.items() if text in str(error)), None)


def _as_pipeline_error(error: Exception) -> PipelineError | None:
    if isinstance(error, ValidationError):
        return _of_parameters(error)
    return error if isinstance(error, PipelineError) else storage_error(error)


def _of_parameters(error: ValidationError) -> UsageError:
    """Name the first wrong value of a run whose parameters were edited on Kubeflow's pages."""
    first = error.errors()[0]
    parameter = f"{error.title.removesuffix('Config').lower()}_config"
    key = ".".join(map(str, (parameter, *first["loc"])))
    return UsageError(
        f"{key} (={first['input']!r}): {first['msg']}; give this parameter of the run another value"
    )


def _start_log(task: str) -> logging.Logger:
    log = logging.getLogger("dcgan")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(f"[{task}] %(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    return log


def _terminate(task: str) -> None:
    """Stop at once, or have what runs now stop in its own time."""
    if _stop_request is not None:
        _stop_request.set()
        return
    error = Terminated("stopped by SIGTERM; the same command goes on")
    # Not through the logger, whose lock the interrupted code may hold; nor by an exception,
    # which could fall into a callback that Python lets nothing out of, and be lost.
    with contextlib.suppress(OSError):  # nobody listens any more
        os.write(1, f"[{task}] error {error.exit_code}: {error}\n".encode())
    os._exit(error.exit_code)


def _end_with_parent(task: str) -> None:
    """End this process when the run that started it is gone.

    A local run that is killed would otherwise leave its task training on, out of sight.
    The run holds a lock for as long as it lives, and no longer.
    """
    path = os.environ.get(PARENT_LOCK_VARIABLE)
    if path is None:
        return

    def watch() -> None:
        with contextlib.suppress(FileNotFoundError), Path(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
        _terminate(task)
        time.sleep(SECONDS_TO_STOP)
        os._exit(Terminated.exit_code)

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()
