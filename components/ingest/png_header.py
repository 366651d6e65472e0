"""The chunks of a PNG that its pixels need."""

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from components.ingest.limits import check_size

_SIGNATURE_BYTES = 8
_NEEDED = (b"IDAT", b"IHDR", b"IEND", b"PLTE", b"tRNS")  # by the pixels
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
    view = memoryview(data)
    kept = [view[:_SIGNATURE_BYTES]]
    width = height = depth = colours = 0
    exif, has_pixels, cut, unfinished = b"", False, False, False
    try:
        for kind, start, end in _chunks(data, view):
            if kind in _NEEDED:
                kept.append(view[start:end])
            if kind == b"IDAT":
                has_pixels = True
            elif kind == b"IHDR":
                width, height, depth, colours = struct.unpack_from(">IIBB", data, start + 8)
                check_size(width, height)
            elif kind == b"tRNS":
                kept[-1] = memoryview(_as_pillow_compares(data[start:end], depth, colours))
            elif kind == b"eXIf":
                exif = data[start + 8 : end - 4]
    except (struct.error, ValueError) as error:
        if not has_pixels:
            raise
        # Whether that was all of the pixels, their decoder tells.
        kept.append(memoryview(_END))
        cut, unfinished = isinstance(error, struct.error), True
    return Png(width, height, b"".join(kept), exif, cut, unfinished)


def _chunks(data: bytes, view: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of each; raises where none is, or one of the pixels' is damaged."""
    at, kind = _SIGNATURE_BYTES, b""
    while kind != b"IEND":
        start = at
        length, kind = struct.unpack_from(">I4s", data, start)
        if not kind.isalpha() or (start == _SIGNATURE_BYTES) != (kind == b"IHDR"):
            raise ValueError("no chunk where one should start")
        at += 12 + length
        if kind in _NEEDED:
            (checksum,) = struct.unpack_from(">I", data, at - 4)
            if zlib.crc32(view[start + 4 : at - 4]) != checksum:
                raise ValueError("a chunk's checksum is wrong")
        yield kind, start, at


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
