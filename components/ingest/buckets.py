"""Pictures in a bucket, under ``gs://`` or ``s3://``.

fsspec's own patterns are not used: they take ``[`` and ``*`` in a key for wildcards, even
where the key was listed. fsspec is imported only where there is a bucket.
"""

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from components.ingest.chosen import nothing_at
from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Chosen, Entry, Source, printable
from components.shared.errors import PipelineError, UsageError, one_line

_READS_AT_ONCE = 64  # a read waits for an answer most of its time
# botocore would keep ten: 1,000 reads of 20 ms took 4.6 s instead of 1.6 s.
_OPTIONS = {"s3": {"config_kwargs": {"max_pool_connections": _READS_AT_ONCE}}}
_NOTHING_THERE = (FileNotFoundError, UnicodeEncodeError)  # a key is UTF-8
_FETCHED_AHEAD = 8 << 20  # bytes of an archive


class Bucket(Source):
    """What lies under an address such as ``gs://bucket/faces``."""

    def __init__(self, root: str, chosen: Chosen | None = None) -> None:
        """Name the address, and which of its objects count; a listed one may be missing.

        Args:
            root: `gs://bucket` or `s3://bucket`, or an address in it.
            chosen: Of the keys below it; all, unless given.
        """
        super().__init__(root.rstrip("/"), chosen)
        self._bucket = _client_for(root)
        self._threads = self._kept_open.enter_context(ThreadPoolExecutor(_READS_AT_ONCE))

    def files(self) -> Iterator[Entry]:
        """All objects below the address."""
        return (entry for entry, _ in self.stamped())

    def stamped(self) -> Iterator[tuple[Entry, str]]:
        """The objects, each with its etag or generation."""
        listed = self._chosen.listed
        with _explaining(self.root):
            if listed is None:
                objects = self._below("")
            else:
                objects = {}
                for found in self._threads.map(self._at, listed, listed.values()):
                    objects |= found
        if not objects or "problem" in objects.get("", {}):  # as a line is that names all of it
            raise UsageError(f"there is nothing at '{self.root}': check the address")
        for key, info in objects.items():
            is_marker = key.endswith("/") or not key  # of what a console shows as a folder
            if not is_marker and self._chosen.fits(key):
                yield Entry(key, info["size"], key, info.get("problem")), _stamp_in(info)

    def _below(self, folder: str) -> dict[str, dict[str, Any]]:
        """What is known of the objects in a folder and below, by their keys."""
        top = self.root.partition("://")[2] + "/"
        found = self._bucket.find(f"{self.root}/{folder}".rstrip("/"), detail=True).values()
        return {each["name"].removeprefix(top): each for each in found}

    def _at(self, key: str, said: str) -> dict[str, dict[str, Any]]:
        """What is known of a listed object, or of those below a listed folder."""
        folder = key.rstrip("/")
        found = {}
        with contextlib.suppress(*_NOTHING_THERE):
            if not key or folder != key:
                found = self._below(folder)
            else:
                info = self._bucket.info(f"{self.root}/{key}")
                found = {key: info} if info["type"] == "file" else self._below(folder)
        return found or {printable(folder): {"size": 0, "problem": nothing_at(said)}}

    def read(self, entries: Iterable[Entry]) -> Iterator[bytes | Rejected]:
        """Contents in the order of the entries, many of them on their way at once."""
        return self._threads.map(self._read_or_reject, entries)

    def _read(self, entry: Entry) -> bytes:
        """Content of an object."""
        address = f"{self.root}/{entry.where}"
        try:
            content: bytes = self._bucket.cat_file(address)
        except FileNotFoundError as error:
            raise Rejected(Reason.MISSING) from error
        except PermissionError as error:
            raise Rejected(Reason.DENIED) from error
        except Exception as error:  # each client has errors of its own
            raise PipelineError(
                f"'{address}' cannot be read ({one_line(error)}): see whether the bucket "
                "answers, then run it again"
            ) from error
        return content


def open_object(address: str) -> tuple[IO[bytes], str] | None:
    """An object's bytes and stamp; None where nothing has this very key."""
    bucket, key = _client_for(address), address.rstrip("/")
    with _explaining(address):
        try:
            info = bucket.info(key)
        except _NOTHING_THERE:
            return None
        if info["type"] != "file":
            return None
        file: IO[bytes] = bucket.open(key, "rb", block_size=_FETCHED_AHEAD, cache_type="readahead")
        return file, _stamp_in(info)


def _stamp_in(info: dict[str, Any]) -> str:
    """What is another one where an object changed, of what its bucket tells about it."""
    for name in ("generation", "etag", "ETag"):
        if name in info:
            return f"{name.lower()}:{info[name]}"
    return "missing:"


def _client_for(address: str) -> Any:
    import fsspec

    scheme = address.partition("://")[0]
    # Without a cache of listings, since another process may add objects.
    return fsspec.filesystem(scheme, use_listings_cache=False, **_OPTIONS.get(scheme, {}))


@contextlib.contextmanager
def _explaining(address: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # each client has errors of its own
        raise UsageError(
            f"'{address}' cannot be listed ({one_line(error)}): check the address, and that the "
            "credentials of this machine may list and read the bucket"
        ) from error
