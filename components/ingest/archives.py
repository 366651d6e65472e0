"""Pictures of a zip or a tar, read where they are packed."""

import abc
import contextlib
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

from components.ingest.local_files import stamp_of
from components.ingest.members import (
    NO_FILE,
    Member,
    Members,
    hard_link,
    path_of_name,
    symbolic_link,
)
from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Entry, Source, explaining_damage, printable, setting_aside
from components.shared.errors import UsageError

_ZIP_STARTS = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")  # a tar may begin with a name such as PKZ
_END_OF_ZIP = struct.Struct("<4sH16x")  # signature, this file's number among its parts
_IN_ZIP64 = 0xFFFF  # another record says it, and zipfile itself refuses parts there
_WINDOWS = (0, 10)  # the systems FAT and NTFS
_UNIX = (3, 19)  # and macOS, though its own programs write 3
_NO_FILES = (stat.S_IFDIR, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK)
_ENCRYPTED, _UTF_8 = 1, 0x800  # flags
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 93: "Zstandard", 95: "XZ", 98: "PPMd"}
_LONGEST_LINK = 4096  # bytes, as Linux allows


def open_local_archive(path: str) -> Source:
    """Open a zip or a tar of this machine."""
    with explaining_damage(path):
        file = Path(path).open("rb")  # noqa: SIM115 (closed with the source)
    return open_archive(path, file, stamp_of(Path(path).stat()))


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
        is_zip = file.read(4) in _ZIP_STARTS
        file.seek(0)
        try:
            return Zip(address, file, stamp) if is_zip else Tar(address, file, stamp)
        except tarfile.ReadError:
            if _has_end_of_zip(file):  # behind a program that unpacks it
                return Zip(address, file, stamp)
            file.close()
            raise UsageError(
                f"'{printable(address)}' is neither a folder nor a whole archive: pass a folder, a "
                ".zip or a .tar (also compressed: .tar.gz, .tar.bz2, .tar.xz)"
            ) from None
        except BaseException:
            file.close()
            raise


def _has_end_of_zip(file: IO[bytes]) -> bool:
    with contextlib.suppress(ValueError):  # of fsspec: it is shorter than that end
        return zipfile.is_zipfile(file)
    return False


def _is_one_part(file: IO[bytes], comment: bytes) -> bool:
    """Whether a zip's last record, which its comment follows, counts further files before it."""
    file.seek(-_END_OF_ZIP.size - len(comment), os.SEEK_END)
    signature, number = _END_OF_ZIP.unpack(file.read(_END_OF_ZIP.size))
    return signature == b"PK\5\6" and number not in (0, _IN_ZIP64)


class Archive(Source, abc.ABC):
    """A file that holds files."""

    on_archives = "it is not opened: unpack it, and name it as a source of its own"

    def __init__(self, root: str, file: IO[bytes], stamp: str) -> None:
        """Take the archive's bytes, which are closed with the source."""
        super().__init__(root)
        self._kept_open.enter_context(file)
        self._stamp = stamp

    @abc.abstractmethod
    def _members(self) -> Iterator[tuple[str, Member]]:
        """What it holds, by paths."""

    def files(self) -> Iterator[Entry]:
        """All files."""
        return Members(self._members()).entries()

    def at_a_glance(self) -> Iterator[Entry]:
        """The members, before all are known."""
        for path, member in self._members():
            if member.is_file:
                yield Entry(path, member.size, member.where, member.problem)

    def stamped(self) -> Iterator[tuple[Entry, str]]:
        """The archive itself."""
        yield Entry("", 0, None), self._stamp

    def path_of(self, entry: Entry) -> Path | None:
        """Where the archive is; None where it is in a bucket."""
        return None if "://" in self.root else Path(self.root)


class Zip(Archive):
    """A zip archive."""

    def __init__(self, root: str, file: IO[bytes], stamp: str) -> None:
        """Read the archive's directory."""
        super().__init__(root, file, stamp)
        self._zip = self._kept_open.enter_context(zipfile.ZipFile(file))
        if _is_one_part(file, self._zip.comment):
            raise UsageError(
                f"'{printable(root)}' is one part of several: join them first, as with "
                "zip -s 0 PART.zip --out whole.zip"
            )
        self._infos = self._zip.infolist()
        # Of `cat a.zip b.zip` it is the last that counts; what is before one is its program else.
        file.seek(0)
        first = min((info.header_offset for info in self._infos), default=0)
        if first and file.read(4) == _ZIP_STARTS[0]:
            raise UsageError(
                f"'{printable(root)}' is several archives in a row: pass each as a source of "
                "its own"
            )
        self.in_order = "://" in root  # for what was fetched ahead is what comes next

    def _members(self) -> Iterator[tuple[str, Member]]:
        """What is in the archive's directory."""
        has_folders = any(
            info.filename.endswith("\\") for info in self._infos if not info.file_size
        )
        for index, info in enumerate(self._infos):
            name = _name_of(info)
            # As Windows once packed, and as unzip reads it.
            if "/" not in name and (has_folders or info.create_system in _WINDOWS):
                name = name.replace("\\", "/")
            is_unix = info.create_system in _UNIX  # elsewhere these bits mean something else
            kind = stat.S_IFMT(info.external_attr >> 16) if is_unix else 0
            problem = _problem_of(info)
            if kind in _NO_FILES or name.endswith("/"):
                member = NO_FILE
            elif kind == stat.S_IFLNK and problem is None:
                member = self._link(info)
            else:
                member = Member(info.file_size, index, problem)
            yield path_of_name(name), member

    def _link(self, info: zipfile.ZipInfo) -> Member:
        """A link, whose content is where it leads."""
        try:
            with setting_aside(), self._zip.open(info) as file:
                return symbolic_link(_text_of(file.read(_LONGEST_LINK)))
        except Rejected as problem:
            return Member(problem=problem)

    def _read(self, entry: Entry) -> bytes:
        """Content of a file."""
        with setting_aside():
            return self._zip.read(self._infos[entry.where])


def _name_of(info: zipfile.ZipInfo) -> str:
    """A member's name; without a flag for UTF-8, zipfile took it for code page 437."""
    name = info.filename
    return name if info.flag_bits & _UTF_8 else _text_of(name.encode("cp437"))


def _text_of(path: bytes) -> str:
    """A path in UTF-8, or in code page 437, each part of it by itself."""
    return "/".join(map(_text_of_part, path.split(b"/")))


def _text_of_part(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437")


def _problem_of(info: zipfile.ZipInfo) -> Rejected | None:
    """Why a member cannot be read, by the archive's directory."""
    if info.flag_bits & _ENCRYPTED:
        return Rejected(Reason.ENCRYPTED)
    if info.compress_type not in _READABLE:
        name = _METHODS.get(info.compress_type)
        method = f"compression {info.compress_type}" + (f" ({name})" if name else "")
        return Rejected(Reason.COMPRESSION, f"{method}: repack it")
    return None


class _Reader(tarfile.TarFile):
    """Goes on behind the zeros that end an archive, where another one may follow."""

    zeros = False  # whether they were met
    trailing: int | None = None  # where they are followed by what is no header


class _Header(tarfile.TarInfo):
    """One that is refused where it is damaged; tarfile takes it for the archive's end."""

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        assert isinstance(tarfile_, _Reader)
        try:
            header = super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            tarfile_.zeros = True
            raise
        except (
            tarfile.InvalidHeaderError,  # type: ignore[attr-defined]
            tarfile.TruncatedHeaderError,  # type: ignore[attr-defined]
        ) as error:
            if tarfile_.zeros:  # such as a tape has behind an archive
                tarfile_.trailing = tarfile_.trailing or tarfile_.offset
                raise tarfile.EOFHeaderError("no header") from None  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"{error} at byte {tarfile_.offset}") from None
        if tarfile_.trailing:
            raise tarfile.ReadError(f"no header at byte {tarfile_.trailing}, but others after it")
        tarfile_.zeros = False
        return header


class Tar(Archive):
    """A tar archive, plain or compressed."""

    def __init__(self, root: str, file: IO[bytes], stamp: str) -> None:
        """Open the archive and tell whether it is compressed."""
        super().__init__(root, file, stamp)
        opened = _Reader.open(fileobj=file, tarinfo=_Header, ignore_zeros=True)
        self._tar = self._kept_open.enter_context(opened)
        compressed = self._tar.fileobj is not file
        self.in_order = compressed or "://" in root
        self._last: tuple[Any, bytes] = None, b""  # where, and the content, that was read last

    def _members(self) -> Iterator[tuple[str, Member]]:
        """What the whole archive holds, in its order."""
        with explaining_damage(self.root):
            for info in self._tar:
                if info.isreg():
                    member = Member(info.size, (info.offset_data, info.size, info.sparse))
                elif info.issym():
                    member = symbolic_link(info.linkname)
                elif info.islnk():
                    member = hard_link(info.linkname)
                else:
                    member = NO_FILE
                yield path_of_name(info.name), member

    def _read(self, entry: Entry) -> bytes:
        """Content of a file; going back for a link to it would unpack all before it again."""
        where, content = self._last
        if where == entry.where:
            return content
        member = tarfile.TarInfo()
        member.offset_data, member.size, member.sparse = entry.where
        with setting_aside():
            file = self._tar.extractfile(member)
            assert file is not None  # for a member is a file unless it says something else
            with file:
                content = file.read()
        if self.in_order:
            self._last = entry.where, content
        return content
