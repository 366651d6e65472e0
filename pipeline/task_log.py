"""What the tasks of a local run say: all of it to a file, what matters to the person."""

import builtins
import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

from components.shared.process import LogLine, parse_log_line


class TaskLog(io.TextIOBase):
    """Stands in for stdout while kfp runs the DAG.

    kfp prints the tasks' output among a good deal of its own; everything goes to the
    file, and the lines that our tasks wrote are passed on.
    """

    def __init__(self, file: TextIO, show: Callable[[LogLine], None]) -> None:
        """Write to `file`, call `show` with each line of a task."""
        self._file, self._show = file, show
        self._stdout, self._print = sys.stdout, builtins.print
        self._unfinished = ""
        self.seconds: dict[str, tuple[float, float]] = {}  # task → own work, imports
        self.error: LogLine | None = None
        self.last_task: str | None = None
        self._stopped = False

    def stop(self) -> None:
        """Have the next write raise KeyboardInterrupt.

        Raised by a signal's handler instead, it could fall into a callback that Python
        lets nothing out of, and be lost.
        """
        self._stopped = True

    def writable(self) -> bool:
        """Tell `io` that this stream takes text."""
        return True

    def write(self, text: str) -> int:
        """Take any part of any number of lines."""
        if self._stopped:
            raise KeyboardInterrupt
        self._file.write(text)
        self._file.flush()
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            if parsed := parse_log_line(line):
                self._take(parsed)
        return len(text)

    def _take(self, line: LogLine) -> None:
        self.last_task = line.task
        if line.seconds is not None:
            self.seconds[line.task] = line.seconds
        elif line.exit_code is not None:
            self.error = line
        else:
            with self._set_aside():
                self._show(line)

    @contextlib.contextmanager
    def _set_aside(self) -> Iterator[None]:
        """Give back stdout, and the `print` that kfp replaces by one that indents."""
        indenting, builtins.print = builtins.print, self._print
        try:
            with contextlib.redirect_stdout(self._stdout):
                yield
        finally:
            builtins.print = indenting
