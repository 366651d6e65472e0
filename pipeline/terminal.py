"""What the command line writes to: whatever a terminal is, and does, no work ends by it."""

import codecs
import contextlib
import os
import sys
import unicodedata
from typing import Any

from rich.console import Console, ConsoleDimensions

_USUAL_WIDTH = 80
_NARROWEST = 40  # columns; a narrower terminal breaks the lines itself
_PLAIN = "dcgan.plain"  # how signs are replaced that an encoding does not have
_PLAIN_SIGNS = {
    "…": "...", "–": "-", "−": "-", "─": "-", "·": "-", "×": "x", "±": "+-", "÷": "/", "→": "->",
    "≤": "<=", "≥": ">=", "§": "section ", "½": "1/2", "¹": "1", "²": "2", "³": "3",
}  # fmt: skip


class Terminal(Console):
    """A console for plain lines, which a closed pipe only makes silent."""

    def __init__(self, *, stderr: bool = False) -> None:
        """Write to stdout, or to `stderr`."""
        super().__init__(stderr=stderr, highlight=False, emoji=False, soft_wrap=True)

    @property
    def size(self) -> ConsoleDimensions:
        """Columns and lines to write for."""
        width, height = super().size
        return ConsoleDimensions(max(width or _USUAL_WIDTH, _NARROWEST), height)

    @size.setter
    def size(self, size: tuple[int, int]) -> None:
        self._width, self._height = size

    def on_broken_pipe(self) -> None:
        """Go on in silence, where rich would end the process."""
        self.quiet = True

    def say(self, *objects: Any) -> None:
        """Print what tells of work, which goes on, or was done, even if this cannot be shown."""
        with contextlib.suppress(Exception):
            with self.capture() as said:
                self.print(*objects)
            self.file.write(said.get())  # rich would write what failed again, with the next line
            self.file.flush()


def print_line(task: str, message: str) -> None:
    """Print a line of a task as `print` does, where that can be done."""
    line = f"{task} {message}"
    with contextlib.suppress(OSError, ValueError):  # the disk is full, the stream closed
        try:
            print(line)
        except UnicodeEncodeError:  # which calls many an encoding "charmap"
            encoding = sys.stdout.encoding or "ascii"
            print(line.encode(encoding, _PLAIN).decode(encoding))


def prepare() -> None:
    """Have the standard streams take all that is written to them."""
    if os.environ.get("COLUMNS") == "0":  # so say some who do not know
        del os.environ["COLUMNS"]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:  # closed: the next file that is opened would be taken for it
            nowhere = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nowhere, "w" if number else "r", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_PLAIN)


def flush() -> None:
    """Write what is left; what cannot be written is lost, without Python's complaint at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Give plain signs for those that cannot be encoded."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(_PLAIN_SIGNS.get(sign) or _letter(sign) for sign in signs), error.end


def _letter(sign: str) -> str:
    """A letter without its accent; a question mark for what is none."""
    bare = unicodedata.normalize("NFKD", sign)[0]
    return bare if bare.isascii() and bare.isprintable() else "?"


codecs.register_error(_PLAIN, _replace)
