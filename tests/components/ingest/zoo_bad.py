"""Files of the zoo that ingest must set aside, and why."""

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.components.ingest.zoo_files import (
    LONG,
    bmp,
    encode,
    gif_frame,
    gif_screen,
    in_scans,
    picture,
    png,
    png_chunk,
    tiff_of,
    webp_header,
)

EMPTY, TRUNCATED, UNREADABLE = "empty", "truncated", "unreadable"
NOT_READ = "format that is not read"
NO_PICTURE, TOO_SMALL, TOO_MANY = "not a picture", "too small", "too many pixels"

_FORMATS = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP", "tif": "TIFF"}


def bad_files() -> Iterator[tuple[str, bytes, str]]:
    """Yield path, content and expected end of each."""
    yield "empty.jpg", b"", EMPTY
    yield "empty, too.png", b"", EMPTY
    yield from _cut()
    yield from _no_pictures()
    yield from _too_small()
    yield from _damaged()


def bombs() -> Iterator[tuple[str, bytes, str]]:
    """Yield small files that would take gigabytes decoded."""
    small = encode(picture(1), "JPEG")
    at = small.index(b"\xff\xc0") + 5
    yield "bomb.jpg", small[:at] + struct.pack(">HH", 65_500, 65_500) + small[at + 4 :], TOO_MANY
    yield "bomb.png", png([bytes(90_000)], 30_000, 8, 2, claimed=(30_000, 30_000)), TOO_MANY
    wide = png([bytes(3)], 1, 8, 2, claimed=(8, 2_000_000))
    yield "long bomb.png", wide, TOO_MANY
    frame = gif_frame(0, 0, 16, 16)
    yield "screen bomb.gif", gif_screen(65_535, 65_535) + frame + b";", TOO_MANY
    huge = b"," + struct.pack("<HHHH", 0, 0, 65_535, 65_535) + frame[9:]
    yield "frame bomb.gif", gif_screen(16, 16) + huge + b";", TOO_MANY
    yield "bomb.bmp", bmp(30_000, 30_000, 24, bytes(99)), TOO_MANY
    yield "bomb from top to bottom.bmp", bmp(30_000, -(2**31), 24, bytes(99)), TOO_MANY
    runs = bmp(7_000_000, 9, 8, b"\0\2\xff\xff" * 99, bytes(1024), compression=1)
    yield "run length bomb.bmp", runs, TOO_MANY
    for kind, side in ((b"VP8 ", 16_383), (b"VP8L", 16_384), (b"VP8X", 2**24)):
        yield f"{kind.decode().strip()} bomb.webp", webp_header(kind, side, side), TOO_MANY
    sides = {"tag_256": (LONG, [30_000]), "tag_257": (LONG, [30_000])}
    yield "bomb.tif", tiff_of(np.zeros((9, 9, 3), np.uint8), **sides), TOO_MANY
    tiles = {"tag_322": (LONG, [2**20]), "tag_323": (LONG, [2**20]), "tag_324": (LONG, [8])}
    yield "tile bomb.tif", tiff_of(np.zeros((9, 9, 3), np.uint8), **tiles), TOO_MANY


def _whole(suffix: str, seed: int) -> bytes:
    return encode(picture(seed), _FORMATS[suffix])


def _cut() -> Iterator[tuple[str, bytes, str]]:
    signatures = {"jpg": 3, "png": 8, "gif": 6, "bmp": 2, "webp": 12, "tif": 4}
    for number, suffix in enumerate(_FORMATS):
        whole = _whole(suffix, 500 + number)
        yield f"signature only.{suffix}", whole[: signatures[suffix]], TRUNCATED
        yield f"half.{suffix}", whole[: len(whole) // 2], TRUNCATED
        if suffix not in ("gif", "jpg", "png"):  # in which it is no pixel's
            yield f"last byte missing.{suffix}", whole[:-1], TRUNCATED
    whole = encode(picture(510), "JPEG", progressive=True)
    yield "half progressive.jpg", whole[: len(whole) // 2], TRUNCATED
    yield "last scan missing.jpg", whole[: whole.rindex(b"\xff\xc4")], TRUNCATED
    yield "last pixels missing.jpg", _whole("jpg", 513)[:-3], TRUNCATED
    yield "a colour missing.jpg", in_scans(1, 2)[:-2], TRUNCATED
    yield "last pixels missing.png", _whole("png", 514)[:-13], TRUNCATED
    yield "no pixels.png", _whole("png", 511)[:33], TRUNCATED
    most = _whole("jpg", 515)
    yield "many zeros after most.jpg", most[: len(most) * 3 // 4] + bytes(20_000), TRUNCATED
    ends = {"jpg": TRUNCATED, "png": UNREADABLE, "gif": UNREADABLE}
    for suffix, end in ends.items():
        whole = _whole(suffix, 512)
        yield f"zeros after half.{suffix}", whole[: len(whole) // 2].ljust(len(whole), b"\0"), end


def _no_pictures() -> Iterator[tuple[str, bytes, str]]:
    zipped, tarred = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), "inside")
    with tarfile.open(fileobj=tarred, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    contents = {
        "one byte": b"\xff",
        "zeros": bytes(5000),
        "html": b"<!DOCTYPE html><html><title>404 Not Found</title></html>",
        "json": b'{"error": "not found"}',
        "xml": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "pdf": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\nshowpage\n",
        "zip": zipped.getvalue(),
        "tar": tarred.getvalue(),
        "gzip": gzip.compress(_whole("jpg", 520), mtime=0),
        "elf": b"\x7fELF\2\1\1" + bytes(57),
        "exe": b"MZ" + bytes(62),
        "mp4": b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + bytes(40),
        "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40),
        "avif": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(40),
        "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
        "jpeg xl": b"\xff\x0a" + bytes(40),
        "psd": b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 16, 16, 8, 3) + bytes(14),
        "ico": encode(picture(521, 16, 16), "ICO"),
        "ppm": encode(picture(522), "PPM"),
        "tga": encode(picture(523), "TGA"),
        "wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(28),
        "git lfs pointer": b"version https://git-lfs.github.com/spec/v1\nsize 12345\n",
        "base64": b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJ",
        "line ends changed": _whole("png", 524).replace(b"\r\n", b"\n"),
        "byte order mark": b"\xef\xbb\xbf" + _whole("jpg", 525),
    }
    for name, content in contents.items():
        is_one = name in {"heic", "avif", "jpeg 2000", "jpeg xl", "psd"}
        yield f"{name}.jpg", content, NOT_READ if is_one else NO_PICTURE


def _too_small() -> Iterator[tuple[str, bytes, str]]:
    for number, suffix in enumerate(_FORMATS):
        yield f"7x100.{suffix}", encode(picture(530 + number, 7, 100), _FORMATS[suffix]), TOO_SMALL
    for number, suffix in enumerate(("png", "gif", "bmp")):
        dot = encode(Image.new("RGB", (1, 1), (number, 0, 0)), _FORMATS[suffix])
        yield f"1x1.{suffix}", dot, TOO_SMALL
    yield "no width.png", png([b""] * 9, 0, 8, 2), TOO_SMALL
    yield "no height.bmp", bmp(16, 0, 24, b""), TOO_SMALL
    yield "a pixel high, and very wide.png", png([bytes(30_000)], 10_000, 8, 2), TOO_SMALL


def _damaged() -> Iterator[tuple[str, bytes, str]]:
    jpeg, large = _whole("jpg", 540), encode(picture(541, 200, 200), "JPEG")
    yield "cut and closed.jpg", large[: len(large) // 2] + b"\xff\xd9", UNREADABLE
    middle = len(large) // 2
    yield "ones in the middle.jpg", large[:middle] + b"\xff" * 40 + large[middle + 40 :], UNREADABLE
    yield "no frame.jpg", jpeg.replace(b"\xff\xc0", b"\xff\xe5"), UNREADABLE
    yield "12 bits.jpg", jpeg.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"), UNREADABLE
    yield "a thousand scans.jpg", in_scans(1, 2, 3, *[1] * 1000), UNREADABLE
    whole = bytearray(_whole("png", 542))
    whole[18] ^= 255
    yield "damaged header.png", bytes(whole), UNREADABLE
    whole = bytearray(_whole("png", 543))
    whole[len(whole) // 2] ^= 255
    yield "damaged pixels.png", bytes(whole), UNREADABLE
    whole = bytearray(_whole("png", 546))
    whole[-13] ^= 1  # of the last pixels' checksum
    yield "wrong checksum.png", bytes(whole), UNREADABLE
    row = [bytes(48)] * 16
    yield "unknown colours.png", png(row, 16, 8, 5), UNREADABLE
    yield "unknown depth.png", png(row, 16, 3, 0), UNREADABLE
    cut = png_chunk(b"IDAT", zlib.compress(bytes(49 * 16))[:-8])
    yield "cut and closed.png", png(row, 16, 8, 2)[:33] + cut + png_chunk(b"IEND", b""), UNREADABLE
    yield "no frame.gif", gif_screen(16, 16) + b";", UNREADABLE
    frame = gif_frame(0, 0, 40, 40)
    yield "cut and closed.gif", gif_screen(40, 40) + frame[:200] + b"\0;", TRUNCATED
    whole = bytearray(_whole("bmp", 545))
    whole[14] = 41  # bytes, which no version of its header has
    yield "unknown header.bmp", bytes(whole), UNREADABLE
    yield "unknown depth.bmp", bmp(16, 16, 7, bytes(16 * 16)), UNREADABLE
    yield "unknown compression.bmp", bmp(16, 16, 24, bytes(800), compression=9), UNREADABLE
    yield (
        "cut run lengths.bmp",
        bmp(16, 16, 8, b"\x10\1\0\0", bytes(1024), compression=1),
        UNREADABLE,
    )
    yield "unknown kind.webp", _whole("webp", 544).replace(b"VP8 ", b"VP9 "), UNREADABLE
    yield "other size.webp", webp_header(b"VP8L", 40, 40), UNREADABLE
    pixels = np.zeros((16, 20, 3), np.uint8)
    yield "no directory.tif", b"II*\0" + bytes(200), UNREADABLE
    yield "directory past the end.tif", b"II*\0\xff\xff\xff\x7f" + bytes(200), TRUNCATED
    yield "pixels past the end.tif", tiff_of(pixels, tag_273=(LONG, [10**9])), TRUNCATED
    yield "unknown compression.tif", tiff_of(pixels, tag_259=(LONG, [999])), UNREADABLE
    yield "a million strips.tif", tiff_of(pixels, tag_273=(LONG, [8] * 10**6)), UNREADABLE
    yield "big and big endian.tif", b"MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10" + bytes(99), UNREADABLE
    for kind in (np.int16, np.int32, np.float32):
        numbers = tiff_of(pixels[..., :1].astype(kind), photometric=1)
        yield f"{np.dtype(kind).name}.tif", numbers, UNREADABLE
