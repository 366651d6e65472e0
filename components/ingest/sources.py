"""Pictures of a source: a folder tree, a zip or a tar, each read where it is.

Beam's ``FileSystems.match`` is not used: it takes ``[``, ``]`` and ``*`` in a name
for a pattern, finds nothing and says nothing.
"""

import abc
import contextlib
import errno
import gzip
import io
import lzma
import operator
import os
import posixpath
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from components.ingest.reasons import Reason, Rejected
from components.shared.errors import DataRefused, UsageError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".gif", ".bmp", ".webp")  # in any case

_LINKS_FOLLOWED = 40  # one after another, as Linux does
# What one file may raise while the others are well; a failing disk or network ends the step.
_ONE_FILE = {None, errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP}
_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,  # a compressed file that ends early
    UnicodeDecodeError,  # a name in a zip
)


class Entry(NamedTuple):
    """One file of a source."""

    path: str  # valid Unicode, relative to the source's root, '/' between folders
    size: int  # bytes
    where: Any  # what its source needs to find it again
    stamp: str = ""  # another one when the file changed


class Listing(NamedTuple):
    """What there is in a source."""

    pictures: list[Entry]  # files with a picture's extension, by path
    other: int  # files without one, and hidden ones


class Source(abc.ABC):
    """A place with files. It is a context manager, since archives are kept open."""

    in_order = False  # whether only reading by ascending `where` is fast

    def __init__(self, root: str) -> None:
        """Open the source that lies at `root`."""
        self.root = root
        self._kept_open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the source."""
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self._kept_open.close()

    @abc.abstractmethod
    def files(self) -> Iterator[Entry]:
        """All files, in no particular order."""

    @abc.abstractmethod
    def read(self, entry: Entry) -> bytes:
        """Content of a file; raises Rejected where there is no reading it."""

    def path_of(self, entry: Entry) -> Path:
        """Where a local file is."""
        raise NotImplementedError

    def list(self) -> Listing:
        """Sort the files into pictures and others, by their names alone."""
        files = [*self.files()]
        pictures = [entry for entry in files if _is_candidate(entry.path)]
        pictures.sort(key=operator.attrgetter("path"))
        return Listing(pictures, other=len(files) - len(pictures))


def open_source(source: str) -> Source:
    """Open a folder, a zip or a tar; which of them it is, its content tells."""
    advice = "pass a folder, a .zip or a .tar (also compressed: .tar.gz, .tar.bz2, .tar.xz)"
    if not source or not Path(source).exists():
        raise UsageError(f"there is nothing at '{source}': {advice}")
    if Path(source).is_dir():
        return Folder(source)
    with _explaining_damage(source):
        with Path(source).open("rb") as file:
            if file.read(2) == b"PK":
                return Zip(source)
        if tarfile.is_tarfile(source):
            return Tar(source)
    raise UsageError(f"'{source}' is neither a folder nor a whole archive: {advice}")


class Folder(Source):
    """A folder tree. Links are followed, but no folder is visited twice."""

    def files(self) -> Iterator[Entry]:
        """All regular files, and links that lead nowhere."""
        visited = set()
        folders = [b""]
        linked_folders: list[bytes] = []  # visited last, so that a file's own path wins
        while folders or linked_folders:
            folder = folders.pop() if folders else linked_folders.pop(0)
            location = os.path.join(os.fsencode(self.root), folder)  # noqa: PTH118 (bytes)
            status = os.stat(location)  # noqa: PTH116
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            with _explaining_damage(self.root), os.scandir(location) as items:
                found = sorted(items, key=operator.attrgetter("name"))
            for item in found:
                where = os.path.join(folder, item.name)  # noqa: PTH118
                mode, size = _mode_and_size(item)
                if stat.S_ISDIR(mode):
                    (linked_folders if item.is_symlink() else folders).append(where)
                elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                    yield Entry(_printable(os.fsdecode(where)), size, where, _stamp(item))

    def path_of(self, entry: Entry) -> Path:
        """Where a file is."""
        return Path(self.root, os.fsdecode(entry.where))

    def read(self, entry: Entry) -> bytes:
        """Content of a file."""
        with setting_aside():
            return self.path_of(entry).read_bytes()


class Zip(Source):
    """A zip archive."""

    def __init__(self, root: str) -> None:
        """Read the archive's directory."""
        super().__init__(root)
        self._zip = self._kept_open.enter_context(zipfile.ZipFile(root))
        self._members = self._zip.infolist()

    def files(self) -> Iterator[Entry]:
        """All files; of two with the same path the later counts, as it does on unpacking."""
        last = {_archive_path(member.filename): i for i, member in enumerate(self._members)}
        for path, index in last.items():
            if not self._members[index].is_dir():
                yield Entry(_printable(path), self._members[index].file_size, index)

    def read(self, entry: Entry) -> bytes:
        """Content of a file."""
        with setting_aside():
            return self._zip.read(self._members[entry.where])


class Tar(Source):
    """A tar archive, plain or compressed."""

    def __init__(self, root: str) -> None:
        """Open the archive and tell whether it is compressed."""
        super().__init__(root)
        self._tar = self._kept_open.enter_context(tarfile.open(root))  # noqa: SIM115
        self.in_order = not isinstance(self._tar.fileobj, io.BufferedReader)  # if compressed

    def files(self) -> Iterator[Entry]:
        """All files; of two with the same path the later counts, as it does on unpacking."""
        with _explaining_damage(self.root):
            last = {_archive_path(member.name): member for member in self._tar}
        for path, member in last.items():
            if member.isdir():
                continue
            target = _link_target(path, last)
            if target is None:
                yield Entry(_printable(path), 0, (-1, 0, None))
            else:
                where = (target.offset_data, target.size, target.sparse)
                yield Entry(_printable(path), target.size, where)

    def read(self, entry: Entry) -> bytes:
        """Content of a file."""
        member = tarfile.TarInfo()
        member.offset_data, member.size, member.sparse = entry.where
        file = self._tar.extractfile(member) if member.offset_data >= 0 else None
        if file is None:
            raise Rejected(Reason.UNREADABLE)
        with setting_aside(), file:
            return file.read()


@contextlib.contextmanager
def setting_aside() -> Iterator[None]:
    """Turn what is wrong with one file alone into Rejected."""
    try:
        yield
    except (*_DAMAGE, RuntimeError) as error:  # RuntimeError: encrypted, unknown compression
        raise Rejected(Reason.UNREADABLE) from error
    except OSError as error:
        if error.errno not in _ONE_FILE:
            raise
        raise Rejected(Reason.UNREADABLE) from error


@contextlib.contextmanager
def _explaining_damage(source: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataRefused(
            f"the archive '{source}' is damaged ({error}): fetch it again or pack it anew"
        ) from error
    except PermissionError as error:
        raise UsageError(
            f"'{os.fsdecode(error.filename)}' may not be read: permission denied"
        ) from error


def _is_candidate(path: str) -> bool:
    hidden = path.startswith(".") or "/." in path  # also `__MACOSX/._1.jpg`, in zips from macOS
    return not hidden and path.lower().endswith(PICTURE_SUFFIXES)


def _mode_and_size(item: os.DirEntry[bytes]) -> tuple[int, int]:
    """Of what a link leads to; of the link itself, with size 0, where that is nothing."""
    try:
        status = item.stat()
    except OSError as error:
        if error.errno not in _ONE_FILE:
            raise
        return stat.S_IFLNK, 0
    return status.st_mode, status.st_size


def _stamp(item: os.DirEntry[bytes]) -> str:
    try:
        status = item.stat()
    except OSError:
        return ""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"


def _archive_path(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _link_target(path: str, members: dict[str, tarfile.TarInfo]) -> tarfile.TarInfo | None:
    for _ in range(_LINKS_FOLLOWED):
        member = members.get(path)
        if member is None or member.isreg():
            return member
        if member.issym():
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
        elif member.islnk():
            path = _archive_path(member.linkname)
    return None


def _printable(path: str) -> str:
    r"""Show bytes that are not UTF-8 as ``\xff``, since records and JSON hold UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
