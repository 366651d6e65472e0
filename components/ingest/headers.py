"""What a picture file says of itself before its pixels: format, size, orientation.

Sizes are checked here, so that a decompression bomb is refused before anything is
allocated for it. And decoders get no more of a file than the pixels need (`essence`):
what metadata, comments and later frames can cost them is out of all proportion, such as
a TIFF directory whose 65,535 tags each hold the same megabytes, or 10^5 frames.

Sources: the EXIF 2.3, PNG 3, GIF89a, BMP (Microsoft), WebP container and TIFF 6.0
specifications.
"""

import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

import simplejpeg

from components.ingest.reasons import Reason, Rejected
from components.ingest.tiff_header import read_tiff

MIN_SIDE = 8  # pixels
MAX_SIDE = 65_535  # pixels, as in a JPEG: what a row costs a decoder is bounded, too
MAX_PIXELS = 64_000_000  # decoded, that is 192 MB
MAX_SCANS = 100  # of a JPEG, each of which passes over all pixels: 50 ms for 64 million

_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_NO_SEGMENT = {0, 1, *range(0xD0, 0xD8), 0xFF}  # padding, restarts, stray bytes
_JPEG_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}  # APP1 … APP13, APP15, comments
_EXIF = b"Exif\0\0"
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two: BigTIFF
_GIF_CONTROL, _GIF_EXTENSION, _GIF_IMAGE = 0xF9, 0x21, 0x2C
_ORIENTATION = 0x0112


class Header(NamedTuple):
    """A picture whose size is within bounds."""

    width: int  # pixels, of the canvas, before it is turned upright
    height: int
    essence: bytes  # a file of the same format, with what the pixels need and no more
    cut: bool = False  # whether the file should be longer by its own account
    orientation: int = 1  # 1 … 8 as in EXIF
    left: int = 0  # where a GIF's first frame, whose size `essence` has, lies on the canvas
    top: int = 0
    inks: bool = False  # whether a JPEG is CMYK or YCCK
    inverted: bool = False  # whether it has Adobe's mark: its inks are inverted then


def form_of(data: bytes) -> str | None:
    """Name the format (as Pillow does) that a file's first bytes tell of."""
    if data.startswith(b"\xff\xd8"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith(b"BM"):
        return "BMP"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    return "TIFF" if data.startswith(_TIFFS) else None


def read_header(data: bytes, form: str) -> Header:
    """Walk through a file of the format `form`, as far as its first picture goes.

    Raises:
        Rejected: It ends too early, is damaged, too large or too small.
    """
    try:
        return _READERS[form](data)
    except (struct.error, IndexError) as error:
        raise Rejected(Reason.TRUNCATED) from error
    except ValueError as error:
        raise Rejected(Reason.UNREADABLE) from error


def check_size(width: int, height: int) -> None:
    """Raise Rejected where a picture of width × height pixels is too large or too small."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise Rejected(Reason.TOO_MANY_PIXELS)
    if min(width, height) < MIN_SIDE:
        raise Rejected(Reason.TOO_SMALL)


def _jpeg(data: bytes) -> Header:
    kept: list[bytes] = [data[:2]]
    at, orientation, adobe = 2, 1, False
    # Segments before the first scan, and perhaps stray bytes between them.
    while (at := data.find(b"\xff", at)) >= 0 and data[at + 1] not in (_JPEG_SCAN, _JPEG_END):
        marker = data[at + 1]
        if marker in _JPEG_NO_SEGMENT:
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at : at + 2 + length]
        at += 2 + length
        if marker == 0xE1 and segment.startswith(_EXIF, 4):
            orientation = _orientation(segment[4:])
        adobe = adobe or (marker == 0xEE and segment.startswith(b"Adobe", 4))
        if marker not in _JPEG_METADATA:
            kept.append(segment)
    cut = b"\xff\xd9" not in data[-64:]
    essence = b"".join([*kept, memoryview(data)[at if at >= 0 else len(data) :]])
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(essence, strict=False)
    except (ValueError, LookupError) as error:
        raise Rejected(Reason.TRUNCATED if cut else Reason.UNREADABLE) from error
    check_size(width, height)
    if essence.count(b"\xff\xda") > MAX_SCANS:
        raise ValueError("too many scans")
    inks = colours in ("CMYK", "YCCK")
    return Header(width, height, essence, cut, orientation, inks=inks, inverted=adobe)


def _png(data: bytes) -> Header:
    view, at, width, height, orientation = memoryview(data), 8, 0, 0, 1
    kept = [view[:8]]
    kind = b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        if not kind.isalpha() or (width == 0) != (kind == b"IHDR"):
            raise ValueError("no chunk where one should start")
        start, at = at, at + 12 + length
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            (checksum,) = struct.unpack_from(">I", data, at - 4)
            if zlib.crc32(view[start + 4 : at - 4]) != checksum:
                raise ValueError("a chunk's checksum is wrong")
            kept.append(view[start:at])
        if kind == b"IHDR":
            width, height, depth, colours = struct.unpack_from(">IIBB", data, start + 8)
            check_size(width, height)
        elif kind == b"tRNS":
            kept[-1] = memoryview(_as_pillow_compares(data[start:at], depth, colours))
        elif kind == b"eXIf":
            orientation = _orientation(data[start + 8 : at - 4])
    return Header(width, height, b"".join(kept), orientation=orientation)


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


def _gif(data: bytes) -> Header:
    screen_width, screen_height, flags = struct.unpack_from("<HHB", data, 6)
    start = at = 13 + _palette_bytes(flags)
    control = b""
    while data[at] == _GIF_EXTENSION:
        end = _after_blocks(data, at + 2)
        if data[at + 1] == _GIF_CONTROL:
            control = data[at:end]
        at = end
    if data[at] != _GIF_IMAGE:
        raise ValueError("no frame")
    left, top, width, height, frame_flags = struct.unpack_from("<HHHHB", data, at + 1)
    canvas = max(screen_width, left + width), max(screen_height, top + height)
    check_size(*canvas)
    end = _after_blocks(data, at + 10 + _palette_bytes(frame_flags) + 1)
    size = struct.pack("<HH", width, height)
    frame = b"\x2c\0\0\0\0" + size + data[at + 9 : end]
    essence = data[:6] + size + data[10:start] + control + frame + b";"
    return Header(*canvas, essence, left=left, top=top)


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _bmp(data: bytes) -> Header:
    file_size, _, offset, header_size = struct.unpack_from("<IIII", data, 2)
    if header_size == 12:  # of OS/2
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    check_size(width, abs(height))  # negative: the rows come from top to bottom
    rows = (width * bits + 31) // 32 * 4 * abs(height) if compression in (0, 3) else 0
    return Header(width, abs(height), data, cut=len(data) < (offset + rows if rows else file_size))


def _webp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 4)
    if len(data) < max(size + 8, 30):
        raise Rejected(Reason.TRUNCATED)
    kind, orientation = data[12:16], 1
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise ValueError("no such kind of WebP")
    check_size(width, height)
    at = 12
    while kind == b"VP8X" and at + 8 <= size + 8:
        name, length = struct.unpack_from("<4sI", data, at)
        if name == b"EXIF":
            orientation = _orientation(data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return Header(width, height, data, orientation=orientation)


def _tiff(data: bytes) -> Header:
    tiff = read_tiff(data)
    check_size(tiff.width, tiff.height)
    if tiff.tile_pixels > MAX_PIXELS:
        raise Rejected(Reason.TOO_MANY_PIXELS)
    return Header(tiff.width, tiff.height, tiff.essence, tiff.cut, tiff.orientation)


def _orientation(exif: bytes) -> int:
    """Find EXIF's orientation, 1 … 8; 1 where there is none, or it is damaged."""
    exif = exif.removeprefix(_EXIF)
    order = "<" if exif[:2] == b"II" else ">"
    try:
        (at,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, at)
        for number in range(count):
            entry = struct.unpack_from(order + "HHIH", exif, at + 2 + 12 * number)
            if entry[0] == _ORIENTATION:
                return entry[3] if 1 <= entry[3] <= 8 else 1
    except struct.error:
        pass
    return 1


_READERS: dict[str, Callable[[bytes], Header]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "GIF": _gif,
    "BMP": _bmp,
    "WEBP": _webp,
    "TIFF": _tiff,
}
