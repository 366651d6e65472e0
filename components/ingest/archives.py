"""Pictures of a zip or a tar, read where they are packed."""

import abc
import posixpath
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from components.ingest.local_files import stamp_of
from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Entry, Source, explaining_damage, printable, setting_aside
from components.shared.errors import UsageError

# By which a list and a pattern mean archives. Where one is named itself, its content tells.
ARCHIVE_SUFFIXES = (
    ".zip", ".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz",
)  # fmt: skip

_LINKS_FOLLOWED = 40  # one after another, as Linux does


def is_named_archive(name: str) -> bool:
    """Whether a file's extension is an archive's."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def open_local_archive(path: str) -> Source:
    """Open a zip or a tar of this machine."""
    return open_archive(path, Path(path).open("rb"), stamp_of(Path(path).stat()))


def open_archive(address: str, file: IO[bytes], stamp: str) -> Source:
    """Open a zip or a tar; which of them it is, its content tells.

    Args:
        address: What the user calls it.
        file: Its bytes, which can be read at any place.
        stamp: Another one where the archive changed.

    Raises:
        DataRefused: It is damaged.
        UsageError: It is none.
    """
    with explaining_damage(address):
        is_zip = file.read(2) == b"PK"
        file.seek(0)
        try:
            return Zip(address, file, stamp) if is_zip else Tar(address, file, stamp)
        except tarfile.ReadError:
            file.close()
            raise UsageError(
                f"'{address}' is neither a folder nor a whole archive: pass a folder, a .zip or "
                "a .tar (also compressed: .tar.gz, .tar.bz2, .tar.xz)"
            ) from None
        except BaseException:
            file.close()
            raise


class _Archive(Source, abc.ABC):
    """A file that holds files."""

    def __init__(self, root: str, file: IO[bytes], stamp: str) -> None:
        """Take the archive's bytes, which are closed with the source."""
        super().__init__(root)
        self._kept_open.enter_context(file)
        self._stamp = stamp

    def stamped(self) -> Iterator[Entry]:
        """The archive itself."""
        yield Entry("", 0, None, self._stamp)

    def path_of(self, entry: Entry) -> Path | None:
        """Where the archive is; None where it is in a bucket."""
        return None if "://" in self.root else Path(self.root)


class Zip(_Archive):
    """A zip archive."""

    def __init__(self, root: str, file: IO[bytes], stamp: str) -> None:
        """Read the archive's directory."""
        super().__init__(root, file, stamp)
        self._zip = self._kept_open.enter_context(zipfile.ZipFile(file))
        self._members = self._zip.infolist()
        self.in_order = "://" in root  # for what was fetched ahead is what comes next

    def files(self) -> Iterator[Entry]:
        """All files; of two with the same path the later counts, as it does on unpacking."""
        last = {_archive_path(member.filename): i for i, member in enumerate(self._members)}
        for path, index in last.items():
            if not self._members[index].is_dir():
                yield Entry(printable(path), self._members[index].file_size, index, "")

    def _read(self, entry: Entry) -> bytes:
        """Content of a file."""
        with setting_aside():
            return self._zip.read(self._members[entry.where])


class Tar(_Archive):
    """A tar archive, plain or compressed."""

    def __init__(self, root: str, file: IO[bytes], stamp: str) -> None:
        """Open the archive and tell whether it is compressed."""
        super().__init__(root, file, stamp)
        self._tar = self._kept_open.enter_context(tarfile.open(fileobj=file))  # noqa: SIM115
        compressed = self._tar.fileobj is not file
        self.in_order = compressed or "://" in root

    def files(self) -> Iterator[Entry]:
        """All files; of two with the same path the later counts, as it does on unpacking."""
        with explaining_damage(self.root):
            last = {_archive_path(member.name): member for member in self._tar}
        for path, member in last.items():
            if member.isdir():
                continue
            target = _link_target(path, last)
            if target is None:
                yield Entry(printable(path), 0, (-1, 0, None), "")
            else:
                where = (target.offset_data, target.size, target.sparse)
                yield Entry(printable(path), target.size, where, "")

    def _read(self, entry: Entry) -> bytes:
        """Content of a file."""
        member = tarfile.TarInfo()
        member.offset_data, member.size, member.sparse = entry.where
        file = self._tar.extractfile(member) if member.offset_data >= 0 else None
        if file is None:
            raise Rejected(Reason.UNREADABLE)
        with setting_aside(), file:
            return file.read()


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
