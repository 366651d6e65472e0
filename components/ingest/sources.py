"""What `images` names, opened as one source."""

import collections
import operator
import os
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from components.ingest.addresses import (
    addresses,
    check_file,
    check_scheme,
    is_manifest,
    is_pattern,
    lines_of,
    of_braces,
    refuse_picture,
    split_bucket,
    split_pattern,
)
from components.ingest.archives import open_archive, open_local_archive
from components.ingest.buckets import Bucket, open_object
from components.ingest.chosen import ByPattern, Listed
from components.ingest.local_files import Folder
from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Entry, Source, is_named_archive, printable
from components.shared.buckets import is_remote
from components.shared.errors import DataRefused, UsageError

ADVICE = (
    "pass a folder, a .zip or a .tar (also compressed), a pattern such as 'faces/**/*.jpg', "
    "@FILE that lists pictures, gs://… or s3://…"
)


def open_source(images: str) -> Source:
    """Open what `images` names.

    Args:
        images: One source a line: a folder, a zip or a tar, a pattern (`*`, `?`, `[…]`, and `**`
            for any folders), `@` and a file that lists pictures, or any of these but the last in
            a bucket, by `gs://` or `s3://`. A pattern or a listed path that ends like an archive
            stands for archives, which are opened.

    Returns:
        The source; of several, their files in folders named like the sources.

    Raises:
        UsageError: There is no such source.
        DataRefused: An archive is damaged.
    """
    opened = [source for address in addresses(images) or [""] for source in _open(address)]
    return opened[0] if len(opened) == 1 else Several(opened)


class Several(Source):
    """Sources side by side; an entry's `where` says which of them, and where in that."""

    def __init__(self, sources: list[Source]) -> None:
        """Take over sources, which are closed with this one."""
        super().__init__("")
        self._sources = [self._kept_open.enter_context(source) for source in sources]
        self._names = _distinct([printable(source.root.rpartition("/")[2]) for source in sources])
        self._by_name = dict(zip(self._names, self._sources, strict=True))
        self.in_order = any(source.in_order for source in sources)

    def files(self) -> Iterator[Entry]:
        """All files of all sources.

        Raises:
            DataRefused: There is none in one of them: it may be a disk that is away.
        """
        for index, source in enumerate(self._sources):
            is_empty = True
            for entry in source.files():
                is_empty = False
                yield self._named(index, entry)
            if is_empty:
                raise DataRefused(f"no file in '{source.said}', which is one of the sources")

    def at_a_glance(self) -> Iterator[Entry]:
        """At least all files of all sources, none of which is listed before it is its turn."""
        for index, source in enumerate(self._sources):
            for entry in source.at_a_glance():
                yield self._named(index, entry)

    def stamped(self) -> Iterator[tuple[Entry, str]]:
        """What tells whether one of the sources changed."""
        for index, source in enumerate(self._sources):
            for entry, stamp in source.stamped():
                yield self._named(index, entry), stamp

    def path_of(self, entry: Entry) -> Path | None:
        """Where an entry of `stamped` lies on this machine; None for one in a bucket."""
        index, own = _own_entry(entry)
        return self._sources[index].path_of(own)

    def why_aside(self, entry: Entry) -> Rejected | None:
        """Why its source sets it aside; what is hidden there does not depend on its own name."""
        index, own = _own_entry(entry)
        path = own.path.removeprefix(self._names[index]).removeprefix("/")
        return self._sources[index].why_aside(own._replace(path=path))

    def whose(self, path: str) -> tuple[Source, str]:
        """Which of the sources lists a path, and the path in there."""
        name, _, within = path.partition("/")
        return self._by_name[name], within

    def read(self, entries: Iterable[Entry]) -> Iterator[bytes | Rejected]:
        """Contents in the order of the entries; Rejected where there is no reading one."""
        for index, group in groupby(map(_own_entry, entries), lambda pair: pair[0]):
            yield from self._sources[index].read([own for _, own in group])

    def _read(self, entry: Entry) -> bytes:
        index, own = _own_entry(entry)
        return self._sources[index]._read(own)

    def _named(self, index: int, entry: Entry) -> Entry:
        path = "/".join(filter(None, (self._names[index], entry.path)))
        return entry._replace(path=path, where=(index, entry.where))


def _own_entry(entry: Entry) -> tuple[int, Entry]:
    """Which of several sources an entry is from, and what it is there."""
    index, where = entry.where
    return index, entry._replace(where=where)


def _open(address: str) -> list[Source]:
    """One source; several for a pattern of archives and for a list."""
    if is_remote(address):
        check_scheme(address)
        return _open_remote(address)
    if is_manifest(address):
        return _open_manifest(Path(address[1:]))
    if is_pattern(address):
        folder, pattern = split_pattern(os.path.abspath(address))  # noqa: PTH100
        _refuse_missing(folder, f"'{address}'")
        matching = Folder(folder, ByPattern(pattern, address))
        if is_named_archive(address):
            paths = (str(matching.path_of(entry)) for entry in _all(matching, address))
            return [_open_local(path, f"'{path}'") for path in paths]
        return [matching]
    return [_open_local(address, f"'{address}'")]


def _open_local(path: str, said: str) -> Source:
    _refuse_missing(path, said)
    check_file(path, path)
    refuse_picture(path)
    return Folder(path) if os.path.isdir(path) else open_local_archive(path)  # noqa: PTH112


def _open_remote(address: str) -> list[Source]:
    found = open_object(address)  # first, for a key may hold a star
    if found is not None:
        return [open_archive(address, *found)]
    if not is_pattern(address):
        return [Bucket(address)]
    folder, pattern = split_pattern(address)
    matching = Bucket(folder, ByPattern(pattern, address))
    if not is_named_archive(address):
        return [matching]
    found_keys = (f"{folder}/{entry.where}" for entry in _all(matching, address))
    return [_open_object(key, f"'{key}'") for key in found_keys]


def _open_object(address: str, said: str) -> Source:
    found = open_object(address)
    if found is None:
        raise UsageError(f"there is nothing at {printable(said)}: {ADVICE}")
    return open_archive(address, *found)


def _open_manifest(manifest: Path) -> list[Source]:
    try:
        lines = lines_of(manifest)
    except OSError as error:
        raise UsageError(f"the list '@{manifest}' cannot be read: {error.strerror}") from error
    sources: list[Source] = []
    here: dict[str, str] = {}
    in_buckets: dict[str, dict[str, str]] = collections.defaultdict(dict)
    for line, said in lines:
        if is_remote(line):
            check_scheme(line)
        if is_named_archive(line):
            sources.append(_open_object(line, said) if is_remote(line) else _open_local(line, said))
        elif is_remote(line):
            bucket, key = split_bucket(line)
            in_buckets[bucket].setdefault(key, said)
        else:
            here.setdefault(line, said)
    if here:
        root = os.path.commonpath(map(os.path.dirname, here))
        below = {line[len(root) :].lstrip("/"): said for line, said in here.items()}
        sources.append(Folder(root, Listed(below)))
    return sources + [Bucket(bucket, Listed(keys)) for bucket, keys in in_buckets.items()]


def _all(source: Source, pattern: str) -> list[Entry]:
    with source:
        found = sorted(_archives(source, pattern), key=operator.attrgetter("path"))
    if not found:
        raise UsageError(f"nothing fits the pattern '{pattern}'{of_braces(pattern)}: {ADVICE}")
    return found


def _archives(source: Source, pattern: str) -> Iterator[Entry]:
    """Those that are not hidden; where some cannot be seen, that is refused."""
    for entry in source.files():
        why = source.why_aside(entry)
        if why and why.reason is Reason.FOLDER:
            raise UsageError(
                f"'{source.root}/{entry.path}' may not be read ({why.detail}), and '{pattern}' "
                "may fit archives in it"
            )
        if why and why.reason is Reason.ARCHIVE:
            yield entry


def _refuse_missing(path: str, said: str) -> None:
    try:
        os.stat(path)  # noqa: PTH116 (a name may be too long for pathlib)
    except PermissionError:
        raise UsageError(f"{printable(said)} may not be read: permission denied") from None
    except (OSError, ValueError):
        problem = f"there is nothing at {printable(said)}{of_braces(said)}: {ADVICE}"
        raise UsageError(problem) from None


def _distinct(names: list[str]) -> list[str]:
    """Number the names, unless each is one, and another one, anyway."""
    if all(names) and len(set(names)) == len(names):
        return names
    return [f"{number}-{name}" for number, name in enumerate(names, start=1)]
