"""``python -m pipeline`` is the console script ``dcgan``."""

import contextlib
import locale
import os
import signal
import sys
from pathlib import Path


def main() -> None:
    """Run the command line; Ctrl-C ends it with one line also while it imports."""
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as by nohup
        signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _go_on_in_utf8()
        from pipeline import cli

        cli.main()
    except (Exception, KeyboardInterrupt):
        # Some modules make an error of their own of a Ctrl-C that comes while they are imported.
        if not interrupted:
            raise
        print("error: stopped", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def _terminate(*_: object) -> None:
    """End as without a handler, but not without a word; a run's tasks end when they notice."""
    os.write(2, b"error: stopped by SIGTERM\n")  # print may be where the signal came
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _go_on_in_utf8() -> None:
    """Begin again in Python's UTF-8 mode where the locale has another encoding.

    So names of files are the same to Python, to TensorFlow and to the steps, which inherit the
    mode. What is shown stays in the encoding of the terminal. A Python that was told otherwise
    by its own options, or whose program cannot be read again, as from a pipe, goes on as it is.
    """
    is_utf8 = sys.flags.utf8_mode or locale.getencoding().lower() in {"utf-8", "utf8"}
    told = sys.flags.ignore_environment or "utf8" in sys._xoptions
    told = told or os.environ.get("PYTHONUTF8") == "1"  # by us: whatever happens, never in a loop
    program = getattr(sys.modules["__main__"], "__file__", None)
    if is_utf8 or told or not program or not Path(program).is_file() or not sys.executable:
        return
    changed = {"PYTHONUTF8": "1"}
    if sys.stdout is not None:
        changed["PYTHONIOENCODING"] = f"{sys.stdout.encoding}:replace"
    with contextlib.suppress(OSError):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | changed)


if __name__ == "__main__":
    main()
