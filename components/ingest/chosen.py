"""Which files below a source's root the user named, of a pattern or a list."""

import fnmatch
import re
from collections.abc import Mapping, Sequence

from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Chosen, is_hidden, is_named_picture, printable
from components.shared.errors import UsageError

_ANY_FOLDERS = "**"


class ByPattern(Chosen):
    """Those that fit a pattern."""

    def __init__(self, pattern: str, address: str) -> None:
        """Take a pattern relative to the root; `address` is how the user wrote it.

        Raises:
            UsageError: It means nothing.
        """
        parts = pattern.split("/")
        if any(_ANY_FOLDERS in part and part != _ANY_FOLDERS for part in parts):
            raise UsageError(
                f"'{address}' is no pattern: '**' is for any folders, and must be all between two /"
            )
        if parts[-1] == _ANY_FOLDERS:
            parts.append("*")
        self._parts, self.said = parts, address
        self._fits = [re.compile(fnmatch.translate(part)).match for part in parts]
        # Of each part, itself and those that may come in its place, as it may stand for no folder.
        self._from = [{len(parts)}]
        for index in reversed(range(len(parts))):
            rest = self._from[0] if parts[index] == _ANY_FOLDERS else set()
            self._from.insert(0, {index} | rest)

    def fits(self, path: str) -> bool:
        """Whether the pattern means it."""
        return self._means(path.split("/"), by_dots=False)

    def is_hidden(self, path: str) -> bool:
        """Whether a part of it is hidden; as in a shell, `.*` names what is, and `*` does not."""
        return is_hidden(path) and not self._means(path.split("/"), by_dots=True)

    def leads_into(self, folder: str) -> bool:
        """Whether what the pattern means may lie in this folder or below."""
        return bool(self._reached(folder.split("/"), by_dots=True) - {len(self._parts)})

    def _means(self, path: Sequence[str], by_dots: bool) -> bool:
        """Whether the pattern fits; `by_dots`: what is hidden only by a dot of its own."""
        if not self._fits[-1](path[-1]):  # which spares most of the work
            return False
        return len(self._parts) in self._reached(path, by_dots)

    def _reached(self, path: Sequence[str], by_dots: bool) -> set[int]:
        """The parts of the pattern that what follows this path may fit."""
        reached = self._from[0]  # the parts of the pattern that the next of the path may fit
        for name in path:
            hidden = by_dots and name.startswith(".")
            following: set[int] = set()
            for index in reached - {len(self._parts)}:
                part = self._parts[index]
                if part == _ANY_FOLDERS:
                    following |= set() if hidden else self._from[index]
                elif part.startswith(".") >= hidden and self._fits[index](name):
                    following |= self._from[index + 1]
            reached = following
        return reached


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
    line = said.rpartition(" (line ")[0][1:-1]
    advice = ""
    if line != printable(line):
        advice = ": save the list as UTF-8"
    elif line.startswith(('"', "'")) and line.endswith(line[0]):
        advice = ": write it without the quotes"
    elif line != line.strip():
        advice = ": mind the blanks around it"
    elif is_named_picture(line.partition(",")[0]) and not is_named_picture(line):
        advice = ": a list holds paths alone, one a line"
    elif line.startswith("#"):
        advice = ": a list holds no comments"
    elif "*" in line or "?" in line:
        advice = ": a list holds no patterns, --images does"
    elif "\\" in line:
        advice = ": write / between folders"
    return Rejected(Reason.MISSING, f"nothing at {printable(said)}{advice}")


def nothing_in(said: str) -> Rejected:
    """Why an empty folder of a list is set aside: it may be a disk that is not there."""
    return Rejected(Reason.MISSING, f"no file in {printable(said)}")


def no_file_at(said: str) -> Rejected:
    """Why a pipe or a device of a list is set aside: it may hold all that reads it for ever."""
    return Rejected(Reason.MISSING, f"no file but a pipe or a device at {printable(said)}")
