"""What `images` says: one source a line, as text.

A source is a folder, an archive, a pattern such as ``/data/**/*.jpg``, ``@`` and a file that
lists pictures, or the address of a bucket.
"""

import codecs
import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from components.ingest.source import is_named_picture, printable
from components.shared.buckets import is_remote, names_bucket
from components.shared.errors import UsageError

_WILD = frozenset("*?[")
_BOM = "\ufeff"


def addresses(images: str) -> list[str]:
    """The sources, in the order of their lines; empty lines are none."""
    # Not splitlines, which also ends a line at characters that a name may hold.
    lines = (line.removesuffix("\r") for line in images.split("\n"))
    return [line for line in lines if line.strip()]


def is_manifest(address: str) -> bool:
    """Whether it is ``@`` and the path of a list; a folder with this name is ``./@name``."""
    return address.startswith("@")


def is_pattern(address: str) -> bool:
    """Whether wildcards in it count: what exists under this very name is no pattern.

    Of an address in a bucket, it is not known here what exists.
    """
    # os.path, since pathlib raises for a name that is too long.
    literal = not is_remote(address) and os.path.lexists(address)
    return not _WILD.isdisjoint(address) and not literal


def of_braces(address: str) -> str:
    """A hint for what finds nothing and has braces, as in a shell; none for what has not."""
    if not ("{" in address and "}" in address):
        return ""
    return " (braces are no wildcards here: name a source for each, with --images or in a line)"


def refuse_picture(address: str) -> None:
    """Raise UsageError for one picture, as is left of a pattern where a shell expands it."""
    if is_named_picture(address) and os.path.isfile(address):  # noqa: PTH113 (a name may be long)
        raise UsageError(
            f"--images {address}: is one picture: pass its folder; or a pattern in quotes, such as "
            f"'{os.path.join(os.path.dirname(address), '*')}', which the shell leaves alone then"  # noqa: PTH118, PTH120
        )


def split_pattern(pattern: str) -> tuple[str, str]:
    """The folder before the first part with a wildcard that counts, and the rest."""
    scheme, separator, path = pattern.rpartition("://")
    folder, *parts = path.split("/")
    folder = scheme + separator + folder
    while parts and not is_pattern(f"{folder}/{parts[0]}"):
        folder = f"{folder}/{parts.pop(0)}"
    return folder or "/", "/".join(parts)


def split_bucket(address: str) -> tuple[str, str]:
    """A bucket's own address, and a key in it."""
    scheme, _, path = address.partition("://")
    bucket, _, key = path.partition("/")
    return f"{scheme}://{bucket}", key


def make_absolute(images: str) -> str:
    """Name all local paths from the root, so that they mean the same from any folder."""
    return "\n".join(map(_absolute, addresses(images)))


def check_scheme(address: str) -> None:
    """Raise UsageError unless a remote address names a bucket that can be read."""
    if not names_bucket(address):
        raise UsageError(
            f"--images {address}: no bucket that can be read: pass gs://bucket/… or "
            "s3://bucket/…, or copy the pictures and pass their folder"
        )


class Line(NamedTuple):
    """What a list names in one line."""

    address: str  # an absolute path, or an address in a bucket
    said: str  # the line and its number, for messages


def lines_of(manifest: Path) -> list[Line]:
    """What a list names, one path or address a line.

    Args:
        manifest: The file, in UTF-8, or in UTF-16 as Windows writes it; relative paths in it begin
            at its folder.

    Raises:
        OSError: It cannot be read.
        UsageError: It is empty, no text, or no file that can be read again.
    """
    check_file(f"@{manifest}", manifest)
    # In absolute paths, 100,000 Paths would take a second.
    folder = os.path.abspath(manifest.parent)  # noqa: PTH100
    lines = []
    for number, text in enumerate(_text_in(manifest).split("\n"), start=1):
        line = text.removesuffix("\r").lstrip(_BOM)  # also where lists were joined
        if line.strip():
            address = line
            if not is_remote(line):
                address = os.path.join(folder, os.path.expanduser(line))  # noqa: PTH111, PTH118
                address = os.path.normpath(address)
            lines.append(Line(address, f"'{line}' (line {number} of {manifest.name})"))
    if not lines:
        raise UsageError(f"'@{manifest}' is no list of pictures: write one path a line in it")
    return lines


def listed_in(manifest: Path) -> list[str]:
    """The paths and addresses of `lines_of`; raises as that does."""
    return [line.address for line in lines_of(manifest)]


def check_file(address: str, path: str | Path) -> None:
    """Raise UsageError for a pipe or a device, which the steps could not read one after another."""
    mode = os.stat(path).st_mode  # noqa: PTH116 (a name may be too long for pathlib)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UsageError(
            f"'{printable(address)}' is no file but a pipe or a device, and it is read more "
            "than once: write what comes out of it to a file and pass that"
        )


def _text_in(manifest: Path) -> str:
    content = manifest.read_bytes()
    text = os.fsdecode(content)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        with contextlib.suppress(UnicodeDecodeError):
            text = content.decode("utf-16")
    if "\0" in text:
        raise UsageError(
            f"'@{manifest}' is no list of pictures in UTF-8: write one path a line in it, and save "
            "it as UTF-8"
        )
    return text


def all_addresses(images: str) -> Iterator[str]:
    """The sources of absolute `images`, and after a manifest what it lists.

    Raises:
        OSError: A manifest cannot be read.
        UsageError: It is empty, or no text.
    """
    for address in addresses(images):
        yield address
        if is_manifest(address) and not is_remote(address):
            yield from listed_in(Path(address[1:]))


def local_paths(images: str) -> list[Path]:
    """Files and folders that whoever reads the sources must see; none lies in another.

    Args:
        images: Absolute, as `make_absolute` gives it.

    Returns:
        Folders and archives; of a pattern the folder before its first wildcard; of a manifest
        itself, and of each file that it lists the folder. Only what exists.

    Raises:
        OSError: A manifest cannot be read.
        UsageError: It is empty, or no text.
    """
    found = set()
    for address in addresses(images):
        if is_remote(address):
            continue
        if is_manifest(address):
            found.add(address[1:])
            listed = (one for one in listed_in(Path(address[1:])) if not is_remote(one))
            found.update(map(_folder_of, listed))
        else:
            found.add(split_pattern(address)[0] if is_pattern(address) else address)
    paths = {Path(path) for path in found if os.path.exists(path)}  # noqa: PTH110
    return sorted(path for path in paths if paths.isdisjoint(path.parents))


def _absolute(address: str) -> str:
    if is_remote(address):
        return address
    if is_manifest(address):
        return "@" + _absolute(address[1:])
    # Unlike Path.expanduser, this leaves the ~ of an unknown user as it is.
    return str(Path(os.path.expanduser(address)).absolute())  # noqa: PTH111


def _folder_of(path: str) -> str:
    """Of a file its folder, since a manifest may list 100,000 of them."""
    folder = os.path.dirname(path)  # noqa: PTH120
    return path if folder == os.path.sep or os.path.isdir(path) else folder  # noqa: PTH112
