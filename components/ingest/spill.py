"""Bytes that wait for their shard: on disk where all workers are threads of one process."""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class PlaceOfPixels(NamedTuple):
    """Where a picture's pixels are."""

    spill_path: str
    at: int | bytes  # offset in that file; or, where there is no such file, the pixels themselves


class Spill:
    """A file that grows; what is in it is found by its offset."""

    def __init__(self, folder: str) -> None:
        """Begin a file of its own in `folder`; its name is hidden."""
        self.path = str(Path(folder, f".spill-{uuid.uuid4().hex}"))
        self._file = Path(self.path).open("wb", buffering=0)  # noqa: SIM115
        self._end = 0

    def append(self, items: Sequence[bytes]) -> list[int]:
        """Write items; gives the offset of each."""
        content = memoryview(b"".join(items))
        offsets = []
        for item in items:
            offsets.append(self._end)
            self._end += len(item)
        while content:
            content = content[self._file.write(content) :]
        return offsets

    def close(self) -> None:
        """Close the file; it stays until its folder is removed."""
        self._file.close()


class SpillReader:
    """Reads from spill files, opened when they are first asked for."""

    def __init__(self) -> None:
        """Hold no file yet."""
        self._opened: dict[str, int] = {}

    def read(self, path: str, at: int | bytes, size: int) -> bytes:
        """Read `size` bytes at an offset; bytes that wait in no file are given back."""
        if isinstance(at, bytes):
            return at
        if path not in self._opened:
            self._opened[path] = os.open(path, os.O_RDONLY)
        return os.pread(self._opened[path], size, at)

    def close(self) -> None:
        """Close the files."""
        for descriptor in self._opened.values():
            os.close(descriptor)
        self._opened.clear()
