"""Pictures of this machine: a folder tree, a pattern, or files that a list names.

Beam's ``FileSystems.match`` is not used: it takes ``[``, ``]`` and ``*`` in a name
for a pattern, finds nothing and says nothing.
"""

import operator
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from components.ingest.chosen import Chosen
from components.ingest.source import (
    ONE_FILE,
    Entry,
    Source,
    explaining_damage,
    printable,
    setting_aside,
)


class Folder(Source):
    """A folder tree. Links are followed, but no folder is visited twice."""

    def __init__(self, root: str, chosen: Chosen | None = None) -> None:
        """Name the folder, and which of its files count; a listed path may be a folder's.

        Args:
            root: The folder.
            chosen: Of the paths in it; all, unless given.
        """
        super().__init__(root)
        self._chosen = chosen or Chosen()

    def files(self) -> Iterator[Entry]:
        """All regular files, and links that lead nowhere."""
        return (entry for entry, _ in self.stamped())

    def stamped(self) -> Iterator[tuple[Entry, str]]:
        """The files, each with its size, times and inode."""
        if self._chosen.listed is None:
            found = self._below([b""])
        else:
            found = self._at([os.fsencode(path) for path in self._chosen.listed])
        for where, size, stamp in found:
            name = os.fsdecode(where)
            if self._chosen.fits(name):
                yield Entry(printable(name), size, where), stamp

    def is_hidden(self, path: str) -> bool:
        """Whether a part of the path is hidden that the user did not name."""
        return self._chosen.is_hidden(path)

    def path_of(self, entry: Entry) -> Path:
        """Where a file is."""
        return Path(self.root, os.fsdecode(entry.where))

    def _read(self, entry: Entry) -> bytes:
        """Content of a file."""
        # Not by Path: it interns each name, and the table of interned names never shrinks.
        location = os.path.join(os.fsencode(self.root), entry.where)  # noqa: PTH118
        with setting_aside(), open(location, "rb") as file:  # noqa: PTH123
            return file.read()

    def _below(self, folders: list[bytes]) -> Iterator[tuple[bytes, int, str]]:
        """Path, size and stamp of each file in these folders and below."""
        visited = set()
        linked_folders: list[bytes] = []  # visited last, so that a file's own path wins
        while folders or linked_folders:
            folder = folders.pop() if folders else linked_folders.pop(0)
            location = os.path.join(os.fsencode(self.root), folder)  # noqa: PTH118 (bytes)
            status = os.stat(location)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with explaining_damage(self.root), os.scandir(location) as items:
                found = sorted(items, key=operator.attrgetter("name"), reverse=True)
            while found:
                item = found.pop()  # and let go of it, for it keeps all that was asked of it
                where = os.path.join(folder, item.name)  # noqa: PTH118
                mode, size, stamp = _look_at(item)
                if stat.S_ISDIR(mode):
                    (linked_folders if item.is_symlink() else folders).append(where)
                elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                    yield where, size, stamp

    def _at(self, paths: list[bytes]) -> Iterator[tuple[bytes, int, str]]:
        """Path, size and stamp of each of these files, and of those in folders among them."""
        folders = []
        for where in dict.fromkeys(paths):
            mode, size, stamp = _look_at(Path(self.root, os.fsdecode(where)))
            if stat.S_ISDIR(mode):
                folders.append(where)
            else:
                yield where, size, stamp
        listed = set(paths)
        yield from (each for each in self._below(folders) if each[0] not in listed)


def _look_at(file: "os.DirEntry[bytes] | Path") -> tuple[int, int, str]:
    """Mode, size and stamp of what it leads to; of a link where that is nothing."""
    try:
        status = file.stat()
    except OSError as error:
        if error.errno not in ONE_FILE:
            raise
        return stat.S_IFLNK, 0, ""
    return status.st_mode, status.st_size, stamp_of(status)


def stamp_of(status: os.stat_result) -> str:
    """What is another where a file changed: size, times of change in ns, inode."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"
