"""Makes picture files byte by byte, where Pillow cannot or will not."""

import io
import itertools
import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageColor

SHORT, LONG = 3, 4  # types of TIFF tags


def picture(seed: int, width: int = 48, height: int = 40) -> Image.Image:
    """A smooth RGB picture, so that JPEG keeps it nearly as it is."""
    corners = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)


def encode(image: Image.Image, form: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def in_scans(*components: int) -> bytes:
    """A plain JPEG of 16×16 pixels that is not progressive, each scan of one component."""
    whole = encode(Image.new("RGB", (16, 16), "teal"), "JPEG", subsampling=0)
    scans = []
    for component in components:
        # Four blocks without a difference, in the codes of the standard's tables.
        tables, codes = (0x00, b"\x28\xa2\x8a") if component == 1 else (0x11, b"\0\0")
        header = bytes([0xFF, 0xDA, 0, 8, 1, component, tables, 0, 63, 0])
        scans.append(header + codes)
    return whole[: whole.index(b"\xff\xda")] + b"".join(scans) + b"\xff\xd9"


def png_chunk(kind: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def png(
    rows: Sequence[bytes],
    width: int,
    depth: int,
    colours: int,
    *chunks: bytes,
    interlaced: bool = False,
    claimed: tuple[int, int] | None = None,
) -> bytes:
    """A PNG of packed rows; `chunks` come before the pixels, which are IDAT."""
    size = claimed or (width, len(rows))
    header = struct.pack(">IIBBBBB", *size, depth, colours, 0, 0, interlaced)
    pixels = zlib.compress(b"".join(rows if interlaced else [b"\0" + row for row in rows]))
    parts = [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", pixels)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + png_chunk(b"IEND", b"")


def png_of(samples: np.ndarray, depth: int, colours: int, *chunks: bytes) -> bytes:
    """A PNG of uint16 [H, W, channels] with values of `depth` bits."""
    height, width, channels = samples.shape
    flat = samples.reshape(height, width * channels)
    return png([_packed(row, depth) for row in flat], width, depth, colours, *chunks)


def _packed(row: np.ndarray, depth: int) -> bytes:
    if depth == 16:
        return row.astype(">u2").tobytes()
    bits = (row[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.ravel().astype(np.uint8)).tobytes()


def interlaced_png(pixels: np.ndarray) -> bytes:
    """Adam7, of uint8 [H, W, 3]."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4)]
    passes += [(2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [
        b"\0" + row.tobytes()
        for top, left, down, right in passes
        for row in pixels[top::down, left::right]
    ]
    height, width, _ = pixels.shape
    return png(rows, width, 8, 2, interlaced=True, claimed=(width, height))


def apng(colours: Iterable[str], side: int = 16) -> bytes:
    """An animated PNG with one frame a colour, many of them cheaply."""
    frames = [
        zlib.compress((b"\0" + bytes(ImageColor.getrgb(colour)) * side) * side)
        for colour in colours
    ]
    number = itertools.count()
    chunks = [png_chunk(b"acTL", struct.pack(">II", len(frames), 0))]
    for index, frame in enumerate(frames):
        control = struct.pack(">IIIIIHHBB", next(number), side, side, 0, 0, 1, 10, 0, 0)
        chunks.append(png_chunk(b"fcTL", control))
        if index:
            chunks.append(png_chunk(b"fdAT", struct.pack(">I", next(number)) + frame))
        else:
            chunks.append(png_chunk(b"IDAT", frame))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IEND", b"")


def gif_screen(width: int, height: int, palette: bytes = b"\0\0\0\xff\xff\xff") -> bytes:
    """The start of a GIF with two colours."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + palette


def gif_frame(left: int, top: int, width: int, height: int, colour: int = 1) -> bytes:
    """A frame in one colour, whose LZW codes are all 3 bits (clear, pixel, clear, pixel …)."""
    codes = [code for _ in range(width * height) for code in (4, colour)] + [5]
    bits = np.array([[code >> place & 1 for place in range(3)] for code in codes], np.uint8)
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    blocks = [packed[at : at + 255] for at in range(0, len(packed), 255)]
    data = b"".join(bytes([len(block)]) + block for block in blocks)
    return b"," + struct.pack("<HHHHB", left, top, width, height, 0) + b"\x02" + data + b"\0"


def gif_control(transparent: int | None = None) -> bytes:
    flag, colour = (0, 0) if transparent is None else (1, transparent)
    return b"!\xf9\x04" + bytes([flag, 10, 0, colour]) + b"\0"


def bmp(width: int, height: int, bits: int, body: bytes, palette: bytes = b"", **fields) -> bytes:
    """A BMP; `height` < 0 is from top to bottom."""
    compression = fields.get("compression", 0)
    offset = 54 + len(palette)
    colours = len(palette) // 4 if bits <= 8 else 0
    size = fields.get("size", offset + len(body))
    return (
        b"BM"
        + struct.pack("<IIIIiiHH", size, 0, offset, 40, width, height, 1, bits)
        + struct.pack("<IIiiII", compression, len(body), 2835, 2835, colours, 0)
        + palette
        + body
    )


def webp(kind: bytes, body: bytes) -> bytes:
    """A WebP of one chunk."""
    chunk = kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def webp_header(kind: bytes, width: int, height: int) -> bytes:
    """A WebP that claims a size and has no pixels."""
    if kind == b"VP8X":
        sides = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
        return webp(kind, bytes(4) + sides)
    if kind == b"VP8L":
        return webp(kind, b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + bytes(9))
    return webp(kind, b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(9))


def tiff(
    tags: dict[int, tuple[int, Sequence[int]]],
    body: bytes = b"",
    order: str = "<",
    loops: bool = False,
) -> bytes:
    """A TIFF of SHORT and LONG tags, each with its type; the pixels begin at byte 8.

    Where it loops, its only page is followed by itself.
    """
    at = 8 + len(body) + len(body) % 2
    extra = at + 2 + 12 * len(tags) + 4
    entries, values = [], b""
    for name, (kind, numbers) in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(numbers)}{'H' if kind == SHORT else 'I'}", *numbers)
        place = packed
        if len(packed) > 4:
            place = struct.pack(order + "I", extra + len(values))
            values += packed
        entries.append(struct.pack(order + "HHI", name, kind, len(numbers)) + place.ljust(4, b"\0"))
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(entries)) + b"".join(entries)
    directory += struct.pack(order + "I", at if loops else 0)
    start = mark + struct.pack(order + "I", at)
    return start + body + b"\0" * (len(body) % 2) + directory + values


def tiff_of(
    pixels: np.ndarray, photometric: int = 2, order: str = "<", loops: bool = False, **changes
) -> bytes:
    """An uncompressed TIFF of [H, W, channels]; changes: tag_NNN=(type, values)."""
    height, width, channels = pixels.shape
    bits = pixels.dtype.itemsize * 8
    body = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    tags = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [bits] * channels),
        259: (SHORT, [1]),
        262: (SHORT, [photometric]),
        273: (LONG, [8]),
        277: (SHORT, [channels]),
        278: (LONG, [height]),
        279: (LONG, [len(body)]),
    }
    if pixels.dtype.kind in "if":
        tags[339] = (SHORT, [3 if pixels.dtype.kind == "f" else 2] * channels)
    tags |= {int(name.removeprefix("tag_")): value for name, value in changes.items()}
    return tiff(tags, body, order, loops)


def with_huge_tags(tiff: bytes, count: int = 60_000) -> bytes:
    """Give a little-endian TIFF `count` more tags, each of which holds the whole file."""
    (at,) = struct.unpack_from("<I", tiff, 4)
    (old,) = struct.unpack_from("<H", tiff, at)
    entries = [tiff[place : place + 12] for place in range(at + 2, at + 2 + 12 * old, 12)]
    entries += [struct.pack("<HHII", 700 + tag, 1, len(tiff), 0) for tag in range(count)]
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    return tiff[:4] + struct.pack("<I", len(tiff)) + tiff[8:] + directory
