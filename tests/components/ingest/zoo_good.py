"""Files of the zoo that ingest must use, odd as they are."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.components.ingest.zoo_files import (
    LONG,
    SHORT,
    apng,
    bmp,
    encode,
    gif_control,
    gif_frame,
    gif_screen,
    in_scans,
    interlaced_png,
    picture,
    png_chunk,
    png_of,
    tiff,
    tiff_of,
    webp,
    with_huge_tags,
)

USED = "used"  # in the train or the eval split
ADOBE_CMYK = b"Adobe\0\x64\0\0\0\0\0"  # the last byte: 2 is YCCK


def good_files() -> Iterator[tuple[str, bytes, str]]:
    """Yield path, content and expected end of each; all have different pixels."""
    seed = 0
    for family in (_jpegs, _pngs, _gifs, _webps, _bmps, _tiffs):
        for path, content in family(seed):
            yield path, content, USED
        seed += 100


def _jpegs(seed: int) -> Iterator[tuple[str, bytes]]:
    def image() -> Image.Image:
        nonlocal seed
        seed += 1
        return picture(seed)

    turned = Image.Exif()
    turned[0x0112] = 6
    yield "baseline.jpg", encode(image(), "JPEG")
    yield "progressive.jpg", encode(image(), "JPEG", progressive=True)
    yield "grey.jpe", encode(image().convert("L"), "JPEG")
    yield "cmyk.jpg", encode(image().convert("CMYK"), "JPEG")
    yield "cmyk without Adobe's mark.jpg", without_adobe(encode(image().convert("CMYK"), "JPEG"))
    yield "ycck.jpg", as_ycck(encode(image().convert("CMYK"), "JPEG"))
    yield "444.jpg", encode(image(), "JPEG", subsampling=0, quality=100)
    yield "restart markers.jpg", encode(image(), "JPEG", restart_marker_rows=1)
    tables = b"\xff\xc4"
    yield "no Huffman tables.jpg", encode(image(), "JPEG").replace(tables, b"\xff\xe5")
    yield "bytes before the end.jpg", encode(image(), "JPEG")[:-2] + bytes(9) + b"\xff\xd9"
    whole = encode(image(), "JPEG", restart_marker_rows=1)
    yield "bytes between restarts.jpg", whole.replace(b"\xff\xd0", bytes(9) + b"\xff\xd0")
    new = encode(image(), "JPEG").replace(b"JFIF\0\1", b"JFIF\0\7")
    yield "unknown version.jpg", new
    adobe = encode(image().convert("CMYK"), "JPEG")
    yield "unknown inks.jpg", adobe.replace(ADOBE_CMYK, ADOBE_CMYK[:-1] + b"\7")
    yield "a scan for each colour.jpg", in_scans(1, 2, 3)
    yield "turned.jpg", encode(image(), "JPEG", exif=turned)
    yield "damaged exif.jpg", with_segment(encode(image(), "JPEG"), 0xE1, b"Exif\0\0II*\0\xff\xff")
    yield (
        "damaged profile.jpg",
        with_segment(encode(image(), "JPEG"), 0xE2, b"ICC_PROFILE\0\1\2garbage"),
    )
    hostile = with_huge_tags(tiff({274: (SHORT, [3])}, bytes(30_000)), 2_000)
    whole = with_segment(encode(image(), "JPEG"), 0xE1, b"Exif\0\0" + hostile)
    yield "huge tags.jpg", whole
    stray = b"\xff\xff\0\xff\0\0"
    yield "bytes between segments.jpg", whole[:2] + stray + whole[2:]
    yield "comment.jpg", with_segment(encode(image(), "JPEG"), 0xFE, b"\xff\xd9\xff\xda" * 40)
    video = b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x08" * 400 + b"\xff\xd9\0"
    yield "motion photo.jpg", encode(image(), "JPEG") + video
    yield "progressive motion photo.jpg", encode(image(), "JPEG", progressive=True) + video
    yield "no end.jpg", encode(image(), "JPEG")[:-2]
    yield "half an end.jpg", encode(image(), "JPEG")[:-1]
    yield "no end, progressive.jpg", encode(image(), "JPEG", progressive=True)[:-2]
    yield "no end, a scan for each colour.jpg", in_scans(1, 3, 2)[:-2]
    yield "trailing garbage.jpg", encode(image(), "JPEG") + b"\0garbage" * 99
    yield "two in one.jpg", encode(image(), "JPEG") + encode(image(), "JPEG")
    yield "two frames (MPO).jpg", encode(image(), "MPO", save_all=True, append_images=[image()])
    yield "is a png.jpg", encode(image(), "PNG")
    yield "is a jpeg.png", encode(image(), "JPEG")
    yield "is a webp.gif", encode(image(), "WEBP")


def _pngs(seed: int) -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(seed)

    def samples(bits: int, channels: int) -> np.ndarray:
        return rng.integers(0, 2**bits, (16, 20, channels), np.uint16)

    text = zlib.compress(b"bomb" * 25_000_000, 9)
    palette = png_chunk(b"PLTE", rng.bytes(768))
    for bits in (1, 2, 4, 8, 16):
        yield f"grey {bits} bits.png", png_of(samples(bits, 1), bits, 0)
    for bits in (1, 2, 4, 8):
        yield f"palette {bits} bits.png", png_of(samples(bits, 1), bits, 3, palette)
    for bits in (8, 16):
        yield f"grey and alpha {bits} bits.png", png_of(samples(bits, 2), bits, 4)
        yield f"rgb {bits} bits.png", png_of(samples(bits, 3), bits, 2)
        yield f"rgba {bits} bits.png", png_of(samples(bits, 4), bits, 6)
    alphas = png_chunk(b"tRNS", bytes(range(256)))
    yield "palette with alphas.png", png_of(samples(8, 1), 8, 3, palette, alphas)
    key = png_chunk(b"tRNS", b"\0\3")
    yield "a transparent grey.png", png_of(samples(4, 1), 4, 0, key)
    yield "interlaced.png", interlaced_png(samples(8, 3).astype(np.uint8))
    yield "animated.png", apng(["red", "blue"])
    yield "100,000 frames.png", apng(["navy"] * 100_000)
    huge = png_chunk(b"iCCP", b"profile\0\0" + text)
    yield "huge profile.png", png_of(samples(8, 3), 8, 2, huge)
    huge = png_chunk(b"zTXt", b"Comment\0\0" + text)
    yield "huge text.png", png_of(samples(8, 3), 8, 2, huge)
    huge = png_chunk(b"iTXt", b"Comment\0\1\0en\0Comment\0" + text)
    yield "huge international text.png", png_of(samples(8, 3), 8, 2, huge)
    hostile = with_huge_tags(tiff({274: (SHORT, [3])}, bytes(1_000_000)))
    yield "huge tags.png", png_of(samples(8, 3), 8, 2, png_chunk(b"eXIf", hostile))
    damaged = png_chunk(b"tEXt", b"Comment\0damaged")[:-1] + b"?"
    yield "damaged comment.png", png_of(samples(8, 3), 8, 2, damaged)
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(61 * 16) + bytes(100_000_000), 9))
    empty = png_of(samples(8, 3), 8, 2)
    yield "pixels past the end.png", empty[:33] + pixels + png_chunk(b"IEND", b"")
    yield "no end.png", png_of(samples(8, 3), 8, 2)[:-12]
    yield "half an end.png", png_of(samples(8, 3), 8, 2)[:-6]
    yield "garbage for an end.png", png_of(samples(8, 3), 8, 2)[:-12] + b"garbage" * 9
    yield "second frame is cut.png", apng(["green", "gold"])[:-30]
    yield "video behind it.png", png_of(samples(8, 3), 8, 2) + b"IDAT" * 99
    yield "trailing garbage.png", png_of(samples(8, 3), 8, 2) + b"garbage"


def _gifs(seed: int) -> Iterator[tuple[str, bytes]]:
    def palette(offset: int) -> bytes:
        return bytes([offset, 0, 0, 0, offset, 255])

    many = picture(seed).convert("P", palette=Image.Palette.ADAPTIVE)
    yield "plain.gif", encode(many, "GIF", interlace=0)
    yield "interlaced.gif", encode(picture(seed + 1).convert("P"), "GIF", interlace=1)
    frame = gif_frame(0, 0, 16, 16)
    yield "transparent.gif", gif_screen(16, 16, palette(1)) + gif_control(1) + frame + b";"
    small = gif_frame(3, 4, 9, 8)
    yield "first frame is small.gif", gif_screen(16, 16, palette(2)) + small + b";"
    outside = gif_frame(8, 8, 16, 16)
    yield "frame leaves the screen.gif", gif_screen(16, 16, palette(3)) + outside + b";"
    yield "no screen.gif", gif_screen(0, 0, palette(4)) + frame + b";"
    yield "no end.gif", gif_screen(16, 16, palette(5)) + frame
    two = frame + gif_frame(0, 0, 16, 16, 0) + b";"
    yield "animated.gif", gif_screen(16, 16, palette(6)) + two
    yield (
        "100,000 frames.gif",
        gif_screen(16, 16, palette(7)) + frame + gif_frame(0, 0, 1, 1) * 100_000 + b";",
    )
    comments = b"!\xfe" + (b"\xff" + b"c" * 255) * 20_000 + b"\0"
    yield "huge comment.gif", gif_screen(16, 16, palette(8)) + comments + frame + b";"
    cut = frame + gif_frame(0, 0, 16, 16, 0)[:30]
    yield "second frame is cut.gif", gif_screen(16, 16, palette(9)) + cut


def _webps(seed: int) -> Iterator[tuple[str, bytes]]:
    yield "lossy.webp", encode(picture(seed), "WEBP")
    yield "lossless.webp", encode(picture(seed + 1), "WEBP", lossless=True)
    alpha = picture(seed + 2).convert("RGBA")
    alpha.putalpha(picture(seed + 3).convert("L"))
    yield "alpha.webp", encode(alpha, "WEBP")
    frames = [picture(seed + number) for number in (4, 5, 6)]
    yield "animated.webp", encode(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112] = 8
    yield "turned.webp", encode(picture(seed + 7), "WEBP", exif=exif)
    hostile = with_huge_tags(tiff({274: (SHORT, [3])}, bytes(1_000_000)))
    yield "huge tags.webp", encode(picture(seed + 9), "WEBP", exif=hostile)
    yield "tags are cut.webp", encode(picture(seed + 10), "WEBP", exif=exif)[:-10]
    body = encode(picture(seed + 11), "WEBP")[20:]
    padded = webp(b"VP8 ", body + b"\0" * (1 - len(body) % 2))
    yield "no padding.webp", padded[:-1]
    yield "trailing garbage.webp", encode(picture(seed + 8), "WEBP") + b"garbage"


def _bmps(seed: int) -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(seed)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"{mode}.bmp", encode(picture(seed).convert(mode), "BMP")
    colours = rng.bytes(64)
    yield "4 bits.bmp", bmp(16, 16, 4, rng.bytes(8 * 16), colours)
    yield "5 bits a channel.bmp", bmp(16, 16, 16, rng.bytes(2 * 16 * 16))
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    yield "5, 6 and 5 bits.bmp", bmp(16, 16, 16, rng.bytes(2 * 16 * 16), masks, compression=3)
    yield "from top to bottom.bmp", bmp(16, -16, 24, rng.bytes(3 * 16 * 16))
    run = b"".join(bytes([16, shade, 0, 0]) for shade in range(1, 17)) + b"\0\1"
    yield "run lengths.bmp", bmp(16, 16, 8, run, rng.bytes(1024), compression=1)
    yield "no file size.bmp", bmp(16, 16, 24, rng.bytes(3 * 16 * 16), size=0)


def _tiffs(seed: int) -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(seed)

    def pixels(channels: int, kind: type = np.uint8) -> np.ndarray:
        return rng.integers(0, 256, (16, 20, channels)).astype(kind) * (np.iinfo(kind).max // 255)

    yield "plain.tif", tiff_of(pixels(3))
    yield "big endian.tiff", tiff_of(pixels(3, np.uint16), order=">")
    yield "grey.tif", tiff_of(pixels(1), photometric=1)
    yield "grey 16 bits.tif", tiff_of(pixels(1, np.uint16), photometric=1)
    yield "white is zero 16 bits.tif", tiff_of(pixels(1, np.uint16), photometric=0)
    yield "rgb 16 bits.tif", tiff_of(pixels(3, np.uint16))
    yield "alpha.tif", tiff_of(pixels(4), tag_338=(SHORT, [2]))
    yield "premultiplied alpha.tif", tiff_of(pixels(4), tag_338=(SHORT, [1]))
    yield "cmyk.tif", tiff_of(pixels(4), photometric=5)
    yield "lab.tif", tiff_of(pixels(3), photometric=8)
    colours = (SHORT, [int(value) for value in rng.integers(0, 65536, 768)])
    yield "palette.tif", tiff_of(pixels(1), photometric=3, tag_320=colours)
    yield "turned.tif", tiff_of(pixels(3), tag_274=(SHORT, [6]))
    yield "too many values.tif", tiff_of(pixels(3), tag_259=(SHORT, [1, 1, 1]))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        seed += 1
        yield f"{compression}.tif", encode(picture(seed), "TIFF", compression=compression)
    yield "fax.tif", encode(picture(seed + 5).convert("1"), "TIFF", compression="group4")
    pages = [picture(seed + number) for number in (1, 2)]
    yield "pages.tif", encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    yield "big.tif", encode(picture(seed + 3), "TIFF", big_tiff=True)
    tile = rng.bytes(16 * 16 * 3)
    tiles = {"tag_322": (LONG, [16]), "tag_323": (LONG, [16]), "tag_324": (LONG, [8])}
    tiled = tiff_of(np.frombuffer(tile, np.uint8).reshape(16, 16, 3), **tiles)
    yield "tiled.tif", tiled
    body = (LONG, [0] * 250_000)
    yield "huge tags.tif", with_huge_tags(tiff_of(pixels(3), tag_33000=body))
    yield "endless pages.tif", tiff_of(pixels(3), loops=True)


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    """Put a segment at the beginning of a JPEG."""
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def without_adobe(jpeg: bytes) -> bytes:
    """Take Adobe's segment out, which says that CMYK is inverted."""
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + struct.unpack_from(">H", jpeg, at + 2)[0] :]


def as_ycck(jpeg: bytes) -> bytes:
    """Have Adobe's segment say that the inks are YCC and K."""
    return jpeg.replace(ADOBE_CMYK, ADOBE_CMYK[:-1] + b"\2")
