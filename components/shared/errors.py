"""Errors meant for the person who can act on them, each with its exit code.

A message says what went wrong, where, with which value, and what to do. It is
shown as one line, without a traceback.
"""

from collections.abc import Sequence

_NAMED = 5  # of many


def one_line(error: object) -> str:
    """An error's text with every run of white space as one space."""
    return " ".join(str(error).split())


def some_of(names: Sequence[str]) -> str:
    """The first few as part of a sentence, e.g. "a, b, c, d, e and 1,000 more"."""
    more = len(names) - _NAMED
    shown = ", ".join(map(one_line, names[:_NAMED]))
    return f"{shown} and {more:,} more" if more > 0 else shown


class PipelineError(Exception):
    """Something failed in a way that we foresaw."""

    exit_code = 1


class UsageError(PipelineError):
    """A wrong option, path or configuration value, or a machine short of room."""

    exit_code = 2


class DataRefused(PipelineError):
    """The pictures cannot be trained on."""

    exit_code = 3


class TrainingStopped(PipelineError):
    """The training is lost: values that are no longer finite, or a collapse."""

    exit_code = 4


class NotBlessed(PipelineError):
    """The model is not good enough to be published, and one that is was required."""

    exit_code = 5


class Interrupted(PipelineError):
    """The person stopped it, by Ctrl-C."""

    exit_code = 130


class Terminated(PipelineError):
    """The machine or a person asked the process to end, by SIGTERM."""

    exit_code = 143
