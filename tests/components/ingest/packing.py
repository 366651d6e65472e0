"""Packs a folder as people's programs do."""

import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path


def zip_of(root: Path, links: bool) -> bytes:
    """A zip, its links as members (`zip -y`) or what they lead to, which must be files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(root.rglob("*"), reverse=True):
            name = str(path.relative_to(root))
            if path.is_symlink() and links:
                info = zipfile.ZipInfo(name)
                info.create_system = 3  # Unix
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(info, os.fsencode(path.readlink()))
            elif path.exists():
                archive.write(path, name)
    return file.getvalue()


def unflagged(content: bytes) -> bytes:
    """A zip of which no name is said to be UTF-8, as Info-ZIP and macOS pack them."""
    spoiled = bytearray(content)
    for mark, at in ((b"PK\3\4", 7), (b"PK\1\2", 9)):
        start = -1
        while (start := spoiled.find(mark, start + 1)) >= 0:
            spoiled[start + at] &= ~8
    return bytes(spoiled)


def windows_zip_of(root: Path) -> bytes:
    r"""A zip as .NET 4.0 and others made it: `cats\0\1.png`, and `cats\` for a folder."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(root.rglob("*")):
            if path.is_symlink():
                continue
            name = str(path.relative_to(root)).replace("/", "\\")
            info = zipfile.ZipInfo(name + "\\" if path.is_dir() else name)
            info.create_system = 0  # FAT
            archive.writestr(info, b"" if path.is_dir() else path.read_bytes())
    return file.getvalue()


def tar_of(root: Path, kind: str = "", prefix: str = "./", folders: bool = True) -> bytes:
    """A tar as GNU's, compressed by `kind`; its links are members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{kind}", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(root.rglob("*"), reverse=True):
            if folders or path.is_symlink() or not path.is_dir():
                archive.add(path, f"{prefix}{path.relative_to(root)}", recursive=False)
    return file.getvalue()
