"""Which files below a source's root the user named, of a pattern or a list."""

import re
from collections.abc import Mapping, Sequence

from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Chosen, is_hidden, printable
from components.shared.errors import UsageError


class ByPattern(Chosen):
    """Those that fit a pattern."""

    def __init__(self, pattern: str, address: str) -> None:
        """Take a pattern relative to the root; `address` is how the user wrote it.

        Raises:
            UsageError: It means nothing.
        """
        self._whole = _compiled(pattern, address)
        self._parts = [(part, _compiled(part, address)) for part in pattern.split("/")]

    def fits(self, path: str) -> bool:
        """Whether the pattern means it."""
        return self._whole.match(path) is not None

    def is_hidden(self, path: str) -> bool:
        """Whether a part of it is hidden; as in a shell, `.*` names what is, and `*` does not."""
        return is_hidden(path) and not _names(self._parts, path.split("/"))


class Listed(Chosen):
    """Those of a list, and what lies in the folders among them."""

    def __init__(self, listed: Mapping[str, str]) -> None:
        """Take paths relative to the root, each with the words for where it was named.

        In a bucket, one that ends with a '/' is a folder's.
        """
        self.listed = listed
        self._named = {printable(path).rstrip("/") for path in listed}

    def is_listed(self, path: str) -> bool:
        """Whether a line of the list names this very path."""
        return path in self._named

    def is_hidden(self, path: str) -> bool:
        """Whether a part of it is hidden that no line of the list names."""
        named = path
        while named and named not in self._named:
            named = named.rpartition("/")[0]
        return is_hidden(path[len(named) :].lstrip("/"))


def nothing_at(said: str) -> Rejected:
    """Why a path or an address of a list is set aside, and what may be wrong with it."""
    advice = ""
    if "*" in said or "?" in said:
        advice = ": a list holds no patterns, --images does"
    elif "\\" in said:
        advice = ": write / between folders"
    return Rejected(Reason.MISSING, f"nothing at {said}{advice}")


def no_file_at(said: str) -> Rejected:
    """Why a pipe or a device of a list is set aside: it may hold all that reads it for ever."""
    return Rejected(Reason.MISSING, f"no file but a pipe or a device at {said}")


def _names(pattern: Sequence[tuple[str, re.Pattern[str]]], path: Sequence[str]) -> bool:
    """Whether the parts of a pattern fit those of a path, each hidden one by a dot of its own."""
    if not pattern or not path:
        return not path and all(part == "**" for part, _ in pattern)
    part, fits = pattern[0]
    hidden = path[0].startswith(".")
    if part == "**":
        return _names(pattern[1:], path) or (not hidden and _names(pattern, path[1:]))
    named = fits.match(path[0]) and part.startswith(".") >= hidden
    return bool(named) and _names(pattern[1:], path[1:])


def _compiled(pattern: str, address: str) -> re.Pattern[str]:
    from fsspec.utils import glob_translate

    try:
        return re.compile(glob_translate(pattern))
    except ValueError as error:  # e.g. a**b
        raise UsageError(f"'{address}' is no pattern: {error}") from None
