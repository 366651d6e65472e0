"""What a picture file says of itself before its pixels: format, size, orientation.

Sizes are checked here, so that a decompression bomb is refused before anything is
allocated for it. And decoders get no more of a file than the pixels need (`essence`):
what metadata, comments and later frames can cost them is out of all proportion, such as
a TIFF directory whose 65,535 tags each hold the same megabytes, or 10^5 frames.

Sources: the EXIF 2.3, PNG 3, GIF89a, BMP (Microsoft), WebP container and TIFF 6.0
specifications.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

import simplejpeg

from components.ingest.jpeg_scans import END, MAX_SCANS, SCAN, has_all, read_scans
from components.ingest.limits import MAX_PIXELS, check_size
from components.ingest.png_header import read_png
from components.ingest.reasons import Reason, Rejected
from components.ingest.tiff_header import read_tiff

_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_JPEG_NO_SEGMENT = {0, 1, *range(0xD0, 0xD8), 0xFF}  # padding, restarts, stray bytes
_JPEG_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}  # APP1 … APP13, APP15, comments
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_EXIF = b"Exif\0\0"
_TIFFS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two: BigTIFF
_GIF_CONTROL, _GIF_EXTENSION, _GIF_IMAGE = 0xF9, 0x21, 0x2C
_ORIENTATION = 0x0112
_UNREAD_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
_UNREAD_STARTS = {
    b"\xff\x0a": "JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000", b"8BPS": "PSD",
}  # fmt: skip


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
    unfinished: bool = False  # whether the file lacks its end, though perhaps no pixel


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


def unread_form_of(data: bytes) -> str | None:
    """Name a format of pictures that is not read, by which phones and browsers call theirs .jpg."""
    if data[4:8] == b"ftyp":  # ISO 14496-12, whose brands are registered at mp4ra.org
        return _UNREAD_BRANDS.get(data[8:12])
    return next((form for start, form in _UNREAD_STARTS.items() if data.startswith(start)), None)


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


def _jpeg(data: bytes) -> Header:
    kept: list[bytes | memoryview] = [data[:2]]
    at, orientation, adobe, frame = 2, 1, False, b""
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
        if marker in _JPEG_FRAMES:
            frame = segment
        if marker not in _JPEG_METADATA:
            kept.append(segment)
    end, is_closed, is_whole = _end_of_jpeg(data, at, frame)
    kept.append(memoryview(data)[at if at >= 0 else len(data) : end])
    unfinished = not is_closed and is_whole
    if unfinished:
        kept.append(END)
    essence = b"".join(kept)
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(essence, strict=False)
    except (ValueError, LookupError) as error:
        raise Rejected(Reason.UNREADABLE if is_closed else Reason.TRUNCATED) from error
    check_size(width, height)
    return Header(
        width,
        height,
        essence,
        not is_closed,
        orientation,
        inks=colours in ("CMYK", "YCCK"),
        inverted=adobe,
        unfinished=unfinished,
    )


def _end_of_jpeg(data: bytes, at: int, frame: bytes) -> tuple[int, bool, bool]:
    """Where it ends whose scans begin at `at`, whether by its mark, and whether no scan lacks."""
    if at < 0:
        return len(data), False, False
    if data.endswith(END) and data.count(SCAN, at) <= MAX_SCANS:  # nearly always
        return len(data), True, True
    scans = read_scans(data, at)
    return scans.end, scans.is_closed, bool(frame) and has_all(scans, frame)


def _png(data: bytes) -> Header:
    png = read_png(data)
    orientation = _orientation(png.exif) if png.exif else 1
    return Header(
        png.width, png.height, png.essence, png.cut, orientation, unfinished=png.unfinished
    )


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
    # Of more frames, only the last byte is looked at.
    unfinished = data[end : end + 1] != b";" and not data.endswith(b";")
    return Header(*canvas, essence, left=left, top=top, unfinished=unfinished)


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
    if len(data) < 30:
        raise Rejected(Reason.TRUNCATED)
    cut = len(data) < size + 8
    essence = _whole_webp_chunks(data) if cut else data
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
    while kind == b"VP8X" and at + 8 <= min(size + 8, len(essence)):
        name, length = struct.unpack_from("<4sI", essence, at)
        if name == b"EXIF":
            orientation = _orientation(essence[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return Header(width, height, essence, cut, orientation, unfinished=cut)


def _whole_webp_chunks(data: bytes) -> bytes:
    """A WebP that ends after the last chunk that is whole; the decoder tells whether that does."""
    kept, at = [data[8:12]], 12
    while at + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 4)
        chunk = data[at : at + 8 + length]
        if len(chunk) < 8 + length:
            break
        kept += [chunk, bytes(length % 2)]
        at += 8 + length + length % 2
    content = b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(content)) + content


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
