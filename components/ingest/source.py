"""What every source of pictures has: a list of files, and a way to read them."""

import abc
import collections
import contextlib
import errno
import gzip
import heapq
import lzma
import operator
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from components.ingest.reasons import NOT_BROKEN, Reason, Rejected
from components.shared.errors import DataRefused, UsageError

# In any case.
PICTURE_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".webp", ".tif", ".tiff",
)  # fmt: skip
# Of phones, cameras, browsers and drawing programs; only names tell, and none is opened.
_UNREAD_SUFFIXES = (
    ".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".svg", ".psd", ".ico", ".tga", ".exr",
    ".ppm", ".pgm", ".pbm", ".pnm", ".pcx", ".dng", ".cr2", ".cr3", ".crw", ".nef", ".arw", ".orf",
    ".raf", ".rw2", ".pef", ".srw", ".hif", ".avifs", ".jpx", ".jxr", ".svgz",
)  # fmt: skip
UNREAD = "its format is not read: convert it to JPEG or PNG"  # by its name
_UNREAD_ARCHIVES = (".rar", ".7z")
# By which a list and a pattern mean archives. Where one is named itself, its content tells.
ARCHIVE_SUFFIXES = (
    ".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz",
)  # fmt: skip
_EXTENSION = re.compile(r"[^/]\.(?!\d+$)[^\W_]{1,10}$")  # not `1.jpg?w=300`, `1.jpg.2`, `a. b c`
MAX_FILE_BYTES = 512 << 20  # what a member of an archive may claim to unpack to, too

# What one file may raise while the others are well; a failing disk or network ends the step.
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
ONE_FILE = {
    None, *_NOTHING_THERE, errno.EISDIR, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM,
}  # fmt: skip
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
    problem: Rejected | None = None  # why it cannot be read, where the listing tells
    label: int | None = None  # number of its class; None without classes


class SetAside(NamedTuple):
    """A file that is not looked into."""

    path: str
    size: int  # bytes
    reason: str
    detail: str = ""  # the cause in words, where there is more to say
    label: int | None = None  # number of its class; None where it is in none


_BY_PATH = operator.attrgetter("path")


class Listing(NamedTuple):
    """What there is in a source, by path."""

    pictures: list[Entry]  # files with a picture's extension or none
    other: list[SetAside]
    classes: Sequence[str] = ()  # their names, by number; none without ingest.labels

    def in_order(self) -> Self:
        """Sort both by path."""
        self.pictures.sort(key=_BY_PATH)
        self.other.sort(key=_BY_PATH)
        return self

    def first(self, count: int) -> "Listing":
        """Only so many pictures by path, sound or broken, of classes by turns; all other files."""
        broken = [each for each in self.other if each.reason not in NOT_BROKEN]
        turns = collections.Counter[int | None]()

        def turn(file: Any) -> int:
            turns[file.label] += 1
            return turns[file.label]

        by_path = heapq.merge(self.pictures, broken, key=_BY_PATH)
        kept = sorted(by_path, key=turn)[:count]
        others = [each for each in self.other if each.reason in NOT_BROKEN]
        others += [each for each in kept if isinstance(each, SetAside)]
        pictures = [each for each in kept if isinstance(each, Entry)]
        return Listing(pictures, others, self.classes).in_order()


class Chosen:
    """Which files below a source's root the user named: all of them."""

    listed: Mapping[str, str] | None = None  # where each listed path was named; None: no list
    said = ""  # how the user wrote it, of a pattern

    def fits(self, path: str) -> bool:
        """Whether this file is meant."""
        return True

    def is_listed(self, path: str) -> bool:
        """Whether a line of a list names this very path."""
        return False

    def is_hidden(self, path: str) -> bool:
        """Whether it, or a folder on the way to it that the user did not name, is hidden."""
        return is_hidden(path)

    def leads_into(self, folder: str) -> bool:
        """Whether files that are meant may lie in this folder or below."""
        return not self.is_hidden(folder)


class Source(abc.ABC):
    """A place with files. It is a context manager, since archives are kept open."""

    on_archives = "it is not opened: name it as a source of its own"  # one that lies in it
    in_order = False  # whether only reading by ascending `where` is fast

    def __init__(self, root: str, chosen: Chosen | None = None) -> None:
        """Open the source that lies at `root`; all files in it count unless some are chosen."""
        self.root = root
        self._chosen = chosen or Chosen()
        self.said = printable(self._chosen.said or root)  # what the user calls it
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

    @property
    def is_list(self) -> bool:
        """Whether the user named its files in a list."""
        return self._chosen.listed is not None

    def whose(self, path: str) -> tuple["Source", str]:
        """Which source lists a path, and the path in there."""
        return self, path

    @abc.abstractmethod
    def files(self) -> Iterator[Entry]:
        """All files, in no particular order."""

    def at_a_glance(self) -> Iterator[Entry]:
        """At least all files, each as soon as it is met: some twice, and links as they are."""
        return self.files()

    @abc.abstractmethod
    def stamped(self) -> Iterator[tuple[Entry, str]]:
        """What tells whether the source changed: files, each with what is another if it did."""

    def path_of(self, entry: Entry) -> Path | None:
        """Where an entry of `stamped` lies on this machine; None for one in a bucket."""
        return None

    @abc.abstractmethod
    def _read(self, entry: Entry) -> bytes:
        """Content of a file; raises Rejected where there is no reading it."""

    def read(self, entries: Iterable[Entry]) -> Iterator[bytes | Rejected]:
        """Contents in the order of the entries; Rejected where there is no reading one."""
        return map(self._read_or_reject, entries)

    def _read_or_reject(self, entry: Entry) -> bytes | Rejected:
        if entry.size > MAX_FILE_BYTES:
            return Rejected(Reason.TOO_LARGE)
        try:
            return self._read(entry)
        except Rejected as rejected:
            return rejected

    def list(self) -> Listing:
        """Sort the files into pictures and others, without looking into them."""
        listing = Listing([], [])
        for entry in self.files():
            why = self.why_aside(entry)
            if why is None:
                listing.pictures.append(entry)
            else:
                listing.other.append(SetAside(entry.path, entry.size, why.reason, why.detail))
        return listing.in_order()

    def why_aside(self, entry: Entry) -> Rejected | None:
        """Why a file is not looked into, as far as the listing tells."""
        problem, chosen = entry.problem, self._chosen
        is_folder = problem is not None and problem.reason is Reason.FOLDER
        if not chosen.leads_into(entry.path) if is_folder else chosen.is_hidden(entry.path):
            return Rejected(Reason.HIDDEN)
        if is_named_picture(entry.path):
            return problem
        if is_folder or (problem and chosen.is_listed(entry.path)):
            return problem
        no_picture = self._no_picture_by_name(entry.path)
        return no_picture or (problem and Rejected(Reason.OTHER, problem.detail or problem.reason))

    def _no_picture_by_name(self, path: str) -> Rejected | None:
        if is_named_archive(path):
            return Rejected(Reason.ARCHIVE, self.on_archives)
        if path.lower().endswith(_UNREAD_ARCHIVES):
            return Rejected(Reason.ARCHIVE, "it is not read: unpack it, or pack it as .zip")
        if path.lower().endswith(_UNREAD_SUFFIXES):
            return Rejected(Reason.FORMAT, UNREAD)
        # Without one, as in buckets and where programs name what they fetch, only content tells.
        return Rejected(Reason.OTHER) if _EXTENSION.search(path) else None


def is_hidden(path: str) -> bool:
    """Whether a file or a folder on the way to it begins with a dot."""
    return path.startswith(".") or "/." in path  # also `__MACOSX/._1.jpg`, in zips from macOS


def is_named_archive(name: str) -> bool:
    """Whether a file's extension is an archive's."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def is_named_picture(path: str) -> bool:
    """Whether a file's extension is a picture's."""
    return path.lower().endswith(PICTURE_SUFFIXES)


def printable(path: str) -> str:
    r"""Show bytes that are not UTF-8 as ``\xff``, since records and JSON hold UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def setting_aside() -> Iterator[None]:
    """Turn what is wrong with one file alone into Rejected."""
    try:
        yield
    except (*_DAMAGE, RuntimeError) as error:  # RuntimeError: encrypted, unknown compression
        raise Rejected(Reason.UNREADABLE) from error
    except OSError as error:
        raise rejected_for(error) from error


def rejected_for(error: OSError) -> Rejected:
    """Why a file is set aside that raised this; raises it where others would raise it, too."""
    if error.errno not in ONE_FILE:
        raise error
    if error.errno in _NOTHING_THERE:
        return Rejected(Reason.MISSING)
    if error.errno in (errno.EACCES, errno.EPERM):
        return Rejected(Reason.DENIED)
    return Rejected(Reason.UNREADABLE)


@contextlib.contextmanager
def explaining_damage(source: str) -> Iterator[None]:
    """Say what is wrong with a whole source."""
    source = printable(source)
    try:
        yield
    except _DAMAGE as error:
        raise DataRefused(
            f"the archive '{source}' is damaged ({error}): fetch it again or pack it anew"
        ) from error
    except PermissionError as error:
        raise UsageError(f"'{source}' may not be read: permission denied") from error
