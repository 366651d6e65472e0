"""The chunks of a PNG that its pixels need."""

import struct
import zlib
from typing import NamedTuple

from components.ingest.limits import check_size

_SIGNATURE_BYTES = 8
_END = b"\0\0\0\0IEND\xaeB`\x82"


class Png(NamedTuple):
    """A PNG, of whose frames the first counts."""

    width: int  # pixels, as stored
    height: int
    essence: bytes  # the file with its pixels' chunks alone
    exif: bytes  # empty where there is none
    cut: bool  # whether the file should be longer by its own account
    unfinished: bool  # whether it has no end, though perhaps all pixels


def read_png(data: bytes) -> Png:
    """Read the chunks of a file that begins with PNG's signature.

    Raises:
        struct.error: The file ends before the first of its pixels' chunks does.
        ValueError: It is damaged before that.
        Rejected: It is too large or too small.
    """
    chunks = _Chunks(memoryview(data))
    cut = unfinished = False
    try:
        while chunks.kind != b"IEND":
            chunks.take()
    except (struct.error, ValueError) as error:
        if b"IDAT" not in chunks.kinds:
            raise
        # Whether that was all of the pixels, their decoder tells.
        chunks.kept.append(memoryview(_END))
        cut, unfinished = isinstance(error, struct.error), True
    essence = b"".join(chunks.kept)
    return Png(chunks.width, chunks.height, essence, chunks.exif, cut, unfinished)


class _Chunks:
    """A PNG as far as it was read."""

    def __init__(self, view: memoryview) -> None:
        self._view, self._at = view, _SIGNATURE_BYTES
        self.kept = [view[:_SIGNATURE_BYTES]]  # what the pixels need
        self.width = self.height = 0
        self.exif = b""
        self.kind = b""  # of the last chunk
        self.kinds: set[bytes] = set()

    def take(self) -> None:
        """Read the next chunk."""
        data, start = self._view, self._at
        length, kind = struct.unpack_from(">I4s", data, start)
        if not kind.isalpha() or (self.width == 0) != (kind == b"IHDR"):
            raise ValueError("no chunk where one should start")
        end = start + 12 + length
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            (checksum,) = struct.unpack_from(">I", data, end - 4)
            if zlib.crc32(data[start + 4 : end - 4]) != checksum:
                raise ValueError("a chunk's checksum is wrong")
            self.kept.append(data[start:end])
        if kind == b"IHDR":
            self.width, self.height, depth, colours = struct.unpack_from(">IIBB", data, start + 8)
            check_size(self.width, self.height)
            self._depth, self._colours = depth, colours
        elif kind == b"tRNS":
            chunk = _as_pillow_compares(bytes(data[start:end]), self._depth, self._colours)
            self.kept[-1] = memoryview(chunk)
        elif kind == b"eXIf":
            self.exif = bytes(data[start + 8 : end - 4])
        self._at, self.kind = end, kind
        self.kinds.add(kind)


def _as_pillow_compares(chunk: bytes, depth: int, colours: int) -> bytes:
    """Scale a transparent colour to 8 bits, as Pillow does the pixels and forgets to do here."""
    if not (colours == 0 and depth in (2, 4)) and not (colours == 2 and depth == 16):
        return chunk
    values = [
        value * (255 // (2**depth - 1)) if colours == 0 else value >> 8
        for (value,) in struct.iter_unpack(">H", chunk[8:-4])
    ]
    body = b"tRNS" + struct.pack(f">{len(values)}H", *values)
    return chunk[:4] + body + struct.pack(">I", zlib.crc32(body))
