"""A step's work in a child process, begun again in the same pod where it crashes.

Kubeflow Pipelines 2.17.0 tries again where a pod is lost, and never where a step fails in its
pod; older servers try any failure again, a refusal of the data included. A step knows better:
what it foresaw ends it, what it did not is worth another try.
"""

import contextlib
import ctypes
import logging
import os
import signal
import socket
import sys
from typing import IO, NamedTuple, NoReturn

from components.shared.errors import (
    DataRefused,
    Interrupted,
    NotBlessed,
    PipelineError,
    Terminated,
    TrainingStopped,
    UsageError,
)

LOG = logging.getLogger("dcgan.restarts")

RESTARTS_VARIABLE = "DCGAN_RESTARTS"  # times to begin again; unset or 0: no child at all

_FIRST_PAUSE = 10.0  # seconds, each time twice as many, so that storage has time to come back
_LONGEST_PAUSE = 300.0
_STOPS = {signal.SIGTERM, signal.SIGINT}
_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
# Nobody begins again what has ended well, was refused for a reason, or was told to stop.
_FINAL = {0} | {
    error.exit_code
    for error in (UsageError, DataRefused, TrainingStopped, NotBlessed, Interrupted, Terminated)
}


# In a child: where it sends files that its parent shall hold open, and those of earlier tries.
_parent: socket.socket | None = None
_kept_open: dict[str, int] = {}


class _End(NamedTuple):
    """How a try ended."""

    code: int  # of its process; -n for signal n, as Python has it
    stopped: bool  # it was told to end

    @property
    def exit_code(self) -> int:
        """As a shell gives it: 128 + n for signal n."""
        return self.code if self.code >= 0 else 128 - self.code

    def __str__(self) -> str:
        return f"killed by signal {-self.code}" if self.code < 0 else f"ended with {self.code}"


def go_on_in_child() -> None:
    """Return in a child process, as often as $DCGAN_RESTARTS asks for where that crashes.

    The calling process never returns. It passes SIGTERM and SIGINT on, ends with the exit code
    of the last child, and takes the child with it when it is killed. A crash is an exit code
    that no error of `components.shared.errors` has but PipelineError's own, 1, or a signal that
    did not come from here.

    To be called while the process has one thread, and before it opens or imports what a fork
    would share.
    """
    restarts = _asked_for()
    if not restarts:
        return
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    # Blocked and waited for, not handled, so that none falls between two instructions; and not
    # ignored, as it may be from whoever started this, since then the kernel tells nothing.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS | {signal.SIGCHLD})
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    parent, pause = os.getpid(), _FIRST_PAUSE
    for restart in range(1, restarts + 2):
        child = os.fork()
        if child == 0:
            here.close()
            _live_and_die_with(parent, there)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            return
        end = _wait_for(child)
        if end.stopped or end.exit_code in _FINAL:
            os._exit(end.exit_code)
        if restart > restarts:
            _give_up(end, restarts)
        LOG.info("%s: beginning again in %.0f s (%d of %d)", end, pause, restart, restarts)
        _pause(pause)
        _take_files(here)
        pause = min(2 * pause, _LONGEST_PAUSE)


def keep_open(name: str, file: IO[str]) -> None:
    """Have the parent hold a file open until it ends itself, so that a lock outlives a crash."""
    if _parent is not None:
        socket.send_fds(_parent, [name.encode()], [file.fileno()])


def kept_open(name: str) -> IO[str] | None:
    """The file of that name that an earlier try had kept open, with its lock."""
    descriptor = _kept_open.pop(name, None)
    return None if descriptor is None else os.fdopen(descriptor, "w", encoding="utf-8")


def _asked_for() -> int:
    value = os.environ.pop(RESTARTS_VARIABLE, None) or "0"
    if not value.isdecimal():
        raise UsageError(f"${RESTARTS_VARIABLE} is {value!r}: set a whole number, or nothing")
    return int(value)


def _live_and_die_with(parent: int, keeper: socket.socket) -> None:
    global _parent  # noqa: PLW0603  a process has one
    _parent = keeper
    # A group of its own: what a try leaves behind is found, and a signal comes to it but once.
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that was asked for
        os._exit(128 + signal.SIGKILL)


def _wait_for(child: int) -> _End:
    stopped = False
    while True:
        number = signal.sigwait(_STOPS | {signal.SIGCHLD})
        if number != signal.SIGCHLD:
            stopped = True
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(child, number)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            # Workers of a killed try would hold its memory, its locks and its GPU.
            with contextlib.suppress(OSError):
                os.killpg(child, signal.SIGKILL)
            return _End(os.waitstatus_to_exitcode(status), stopped)


def _take_files(here: socket.socket) -> None:
    """Take what the last try sent; until then the socket holds it open."""
    here.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            name, descriptors, _, _ = socket.recv_fds(here, 4096, 1)
            _kept_open[name.decode()] = descriptors[0]


def _pause(seconds: float) -> None:
    if stop := signal.sigtimedwait(_STOPS, seconds):
        code = 128 + stop.si_signo
        LOG.info("error %d: stopped while it waited to begin again", code)
        os._exit(code)


def _give_up(end: _End, restarts: int) -> NoReturn:
    if end.code != PipelineError.exit_code:  # of which the step has said what it was
        hint = ": as where memory runs out, so raise its pod's `memory`"
        hint = hint if end.code == -signal.SIGKILL else ""
        LOG.info("error %d: %s in restart %d of %d%s", end.exit_code, end, restarts, restarts, hint)
    os._exit(end.exit_code)
