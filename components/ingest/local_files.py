"""Pictures of this machine: a folder tree, a pattern, or files that a list names.

Beam's ``FileSystems.match`` is not used: it takes ``[``, ``]`` and ``*`` in a name
for a pattern, finds nothing and says nothing.
"""

import operator
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from components.ingest.chosen import no_file_at, nothing_at, nothing_in
from components.ingest.reasons import Reason, Rejected
from components.ingest.source import (
    Chosen,
    Entry,
    Source,
    explaining_damage,
    is_named_archive,
    is_named_picture,
    printable,
    rejected_for,
    setting_aside,
)


class _Found(NamedTuple):
    """A file, by its path in the folder."""

    where: bytes
    size: int
    stamp: str
    problem: Rejected | None = None


class Folder(Source):
    """A folder tree. Links are followed, but no folder is visited twice."""

    def __init__(self, root: str, chosen: Chosen | None = None) -> None:
        """Name the folder, and which of its files count; a listed path may be a folder's.

        Args:
            root: The folder.
            chosen: Of the paths in it; all, unless given.
        """
        super().__init__(root, chosen)

    def files(self) -> Iterator[Entry]:
        """All regular files, and links that lead nowhere."""
        return (entry for entry, _ in self.stamped())

    def stamped(self) -> Iterator[tuple[Entry, str]]:
        """The files, each with its size, times and inode."""
        listed = self._chosen.listed
        found = self._below([b""]) if listed is None else self._at(listed)
        for file in found:
            name = os.fsdecode(file.where)
            is_folder = file.problem is not None and file.problem.reason is Reason.FOLDER
            if (is_folder and self._chosen.leads_into(name)) or self._chosen.fits(name):
                yield Entry(printable(name), file.size, file.where, file.problem), file.stamp

    def path_of(self, entry: Entry) -> Path:
        """Where a file is."""
        return Path(self.root, os.fsdecode(entry.where))

    def _read(self, entry: Entry) -> bytes:
        """Content of a file."""
        # Not by Path: it interns each name, and the table of interned names never shrinks.
        location = os.path.join(os.fsencode(self.root), entry.where)  # noqa: PTH118
        with setting_aside(), open(location, "rb") as file:  # noqa: PTH123
            return file.read()

    def _below(self, folders: list[bytes]) -> Iterator[_Found]:
        """What is in these folders and below."""
        visited: set[tuple[int, int]] = set()
        linked_folders: list[bytes] = []  # visited last, so that a file's own path wins
        while folders or linked_folders:
            folder = folders.pop() if folders else linked_folders.pop(0)
            location = os.path.join(os.fsencode(self.root), folder)  # noqa: PTH118 (bytes)
            try:
                found = _items_of(location, visited)
            except OSError as error:
                if not folder:
                    with explaining_damage(self.root):
                        raise
                rejected_for(error)
                found, problem = [], Rejected(Reason.FOLDER, str(error.strerror).lower())
                yield _Found(folder, 0, "", problem)
            while found:
                item = found.pop()  # and let go of it, for it keeps all that was asked of it
                where = os.path.join(folder, item.name)  # noqa: PTH118
                mode, file = _look_at(item, where)
                if stat.S_ISDIR(mode):
                    (linked_folders if item.is_symlink() else folders).append(where)
                elif stat.S_ISREG(mode) or file.problem:
                    yield file

    def _at(self, listed: Mapping[str, str]) -> Iterator[_Found]:
        """Each of these files, and those in folders among them."""
        folders, files = [], set()
        for name, said in listed.items():
            where = os.fsencode(name)
            mode, file = _look_at(Path(self.root, name), where)
            if stat.S_ISDIR(mode):
                folders.append(where)
                if next(self._below([where]), None) is None:
                    yield _Found(where, 0, "", nothing_in(said))
                continue
            if file.problem and file.problem.reason is Reason.MISSING:
                file = file._replace(problem=nothing_at(said))
            elif not (file.problem or stat.S_ISREG(mode)):
                file = file._replace(problem=no_file_at(said))
            files.add(where)
            yield file
        yield from (file for file in self._below(folders) if file.where not in files)


def _items_of(location: bytes, visited: set[tuple[int, int]]) -> list[os.DirEntry[bytes]]:
    """What a folder holds, in descending order of names; nothing where it was visited before."""
    # Of itself by way of itself, which it takes the right to enter it; else all in it would seem
    # not to be there, though its names can be read.
    status = os.stat(os.path.join(location, b"."))  # noqa: PTH116, PTH118
    folder = (status.st_dev, status.st_ino)
    if folder in visited:
        return []
    visited.add(folder)
    with os.scandir(location) as items:
        return sorted(items, key=operator.attrgetter("name"), reverse=True)


def _look_at(file: "os.DirEntry[bytes] | Path", where: bytes) -> tuple[int, _Found]:
    """Mode, and what is known, of what it leads to; no mode where that is nothing."""
    try:
        status = file.stat()
    except OSError as error:
        problem = rejected_for(error)
        if problem.reason is Reason.MISSING:
            problem = Rejected(Reason.MISSING, "a link that leads nowhere")
        elif problem.reason is Reason.DENIED and not _is_named(os.fsdecode(where)):
            # It may well be a folder: it lies, or a link leads, behind one that none may enter.
            problem = Rejected(Reason.FOLDER, str(error.strerror).lower())
        return 0, _Found(where, 0, "", problem)
    return status.st_mode, _Found(where, status.st_size, stamp_of(status))


def _is_named(path: str) -> bool:
    """Whether its extension says that it is a file which counts."""
    return is_named_picture(path) or is_named_archive(path)


def stamp_of(status: os.stat_result) -> str:
    """What is another where a file changed: size, times of change in ns, inode."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"
