"""Pixel values against decoders that share no code of ours: TensorFlow's and tifffile."""

import io

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

from components.ingest.config import IngestConfig
from components.ingest.decode import decode
from tests.components.ingest.zoo_files import (
    apng,
    bmp,
    encode,
    gif_control,
    gif_frame,
    gif_screen,
    interlaced_png,
    picture,
    png_chunk,
    png_of,
)
from tests.components.ingest.zoo_good import as_ycck, without_adobe

SIDE = 32  # of file and result, so that nothing is resized
BACKGROUND = (18, 52, 86)
CONFIG = IngestConfig(image_size=SIDE, background="#123456")


def ours(data: bytes) -> np.ndarray:
    return decode(data, CONFIG).pixels.astype(int)


def flat(pixels: np.ndarray) -> np.ndarray:
    """Integer RGB of uint8 [H, W, 1 to 4], over the background where there is alpha."""
    if pixels.shape[-1] in (1, 2):
        pixels = np.concatenate([pixels[..., :1]] * 3 + [pixels[..., 1:]], axis=-1)
    share = pixels[..., 3:] / 255 if pixels.shape[-1] == 4 else 1
    return np.rint(share * pixels[..., :3] + (1 - share) * np.array(BACKGROUND)).astype(int)


def smooth(mode: str = "RGB") -> Image.Image:
    return picture(1, SIDE, SIDE).convert(mode)


JPEGS = {
    "baseline": ("RGB", {}),
    "progressive": ("RGB", {"progressive": True}),
    "no subsampling": ("RGB", {"subsampling": 0, "quality": 95}),
    "half width": ("RGB", {"subsampling": 1}),
    "low quality": ("RGB", {"quality": 20}),
    "grey": ("L", {}),
    "restart markers": ("RGB", {"restart_marker_rows": 1}),
    "optimised": ("RGB", {"optimize": True}),
}


@pytest.mark.parametrize("name", JPEGS)
def test_jpeg(name):
    mode, options = JPEGS[name]
    data = encode(smooth(mode), "JPEG", **options)
    theirs = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    np.testing.assert_array_equal(ours(data), theirs)


@pytest.mark.parametrize("change", [bytes, without_adobe, as_ycck])
def test_jpeg_of_four_inks(change):
    """A grey level apart, for the products of ink and black are rounded differently."""
    data = change(encode(smooth("CMYK"), "JPEG", quality=95, subsampling=0))
    theirs = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()
    np.testing.assert_allclose(ours(data), theirs, atol=1)


def pngs() -> dict[str, bytes]:
    rng = np.random.default_rng(0)

    def samples(bits: int, channels: int) -> np.ndarray:
        return rng.integers(0, 2**bits, (SIDE, SIDE, channels), np.uint16)

    palette = png_chunk(b"PLTE", rng.bytes(768))
    alphas = png_chunk(b"tRNS", rng.bytes(256))
    some = png_chunk(b"tRNS", rng.bytes(9))
    made = {f"palette {bits}": png_of(samples(bits, 1), bits, 3, palette) for bits in (1, 2, 4, 8)}
    made |= {f"grey {bits}": png_of(samples(bits, 1), bits, 0) for bits in (1, 2, 4, 8, 16)}
    for bits in (8, 16):
        for name, colours, channels in (("grey and alpha", 4, 2), ("rgb", 2, 3), ("rgba", 6, 4)):
            made[f"{name} {bits}"] = png_of(samples(bits, channels), bits, colours)
    made["palette with alphas"] = png_of(samples(8, 1), 8, 3, palette, alphas)
    made["palette with some alphas"] = png_of(samples(4, 1), 4, 3, palette, some)
    made["a transparent grey"] = png_of(samples(2, 1), 2, 0, png_chunk(b"tRNS", b"\0\2"))
    made["interlaced"] = interlaced_png(samples(8, 3).astype(np.uint8))
    made["filtered"] = encode(smooth(), "PNG", optimize=True)
    made["animated"] = apng(["teal", "red"], SIDE)
    return made


@pytest.mark.parametrize("name", pngs())
def test_png(name):
    data = pngs()[name]
    # As many as the file has: where it has none, TensorFlow makes alpha of a palette's or of
    # 1, 2 or 4 bits' greatest value. Of 16 bits, it gives the upper 8.
    theirs = tf.io.decode_png(data, channels=4 if name == "a transparent grey" else 0).numpy()
    np.testing.assert_array_equal(ours(data), flat(theirs))


@pytest.mark.parametrize("name", ["grey 16", "rgb 16"])
def test_the_upper_8_of_16_bits_are_kept(name):
    data = pngs()[name]
    theirs = tf.io.decode_png(data, channels=3, dtype=tf.uint16).numpy()
    np.testing.assert_array_equal(ours(data), theirs >> 8)


def gifs() -> dict[str, bytes]:
    screen = gif_screen(SIDE, SIDE, b"\x10\x20\x30\xf0\xe0\xd0")
    frame = gif_frame(0, 0, SIDE, SIDE)
    return {
        "plain": encode(smooth("P"), "GIF", interlace=0),
        "interlaced": encode(smooth("P"), "GIF", interlace=1),
        "grey": encode(smooth("L"), "GIF"),
        "two colours": encode(smooth("1"), "GIF"),
        "own frames": screen + gif_control() + frame + b";",
        "animated": screen + frame + gif_frame(3, 3, 9, 9, 0) + b";",
    }


@pytest.mark.parametrize("name", gifs())
def test_gif(name):
    data = gifs()[name]
    np.testing.assert_array_equal(ours(data), tf.io.decode_gif(data).numpy()[0])


def bmps() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    return {
        "rgb": encode(smooth(), "BMP"),
        "grey": encode(smooth("L"), "BMP"),
        "from top to bottom": bmp(SIDE, -SIDE, 24, rng.bytes(3 * SIDE * SIDE)),
    }


@pytest.mark.parametrize("name", bmps())
def test_bmp(name):
    data = bmps()[name]
    theirs = tf.io.decode_bmp(data).numpy()
    np.testing.assert_array_equal(ours(data), flat(theirs))


def webps() -> dict[str, bytes]:
    shaded = smooth("RGBA")
    shaded.putalpha(picture(2, SIDE, SIDE).convert("L"))
    frames = {"save_all": True, "append_images": [picture(3, SIDE, SIDE)], "lossless": True}
    return {
        "lossy": encode(smooth(), "WEBP"),
        "lossless": encode(smooth(), "WEBP", lossless=True),
        "alpha": encode(shaded, "WEBP", lossless=True),
        "lossy alpha": encode(shaded, "WEBP"),
        "animated, with alpha": encode(shaded, "WEBP", **frames),
    }


@pytest.mark.parametrize("name", webps())
def test_webp(name):
    data = webps()[name]
    # Not 0, as many as the file has: that writes past the end of TensorFlow's memory.
    theirs = tf.io.decode_webp(data, channels=4 if "alpha" in name else 3).numpy()
    np.testing.assert_array_equal(ours(data), flat(theirs[0]))


TIFFS = {
    "rgb": (3, np.uint8, {}),
    "rgb 16": (3, np.uint16, {}),
    "big endian": (3, np.uint16, {"byteorder": ">"}),
    "big endian grey": (1, np.uint16, {"byteorder": ">"}),
    "grey": (1, np.uint8, {}),
    "grey 16": (1, np.uint16, {}),
    "white is zero": (1, np.uint8, {"photometric": "miniswhite"}),
    "white is zero 16": (1, np.uint16, {"photometric": "miniswhite"}),
    "alpha": (4, np.uint8, {"extrasamples": ["unassalpha"]}),
    "alpha 16": (4, np.uint16, {"extrasamples": ["unassalpha"]}),
    "planes": (3, np.uint8, {"planarconfig": "separate"}),
    "tiled": (3, np.uint8, {"tile": (16, 16)}),
    "tiles of 16 bits": (1, np.uint16, {"tile": (16, 48)}),
    "rows": (3, np.uint8, {"rowsperstrip": 5}),
    "deflated": (3, np.uint8, {"compression": "zlib"}),
    "deflated 16": (3, np.uint16, {"compression": "zlib", "byteorder": ">"}),
    "deflated tiles": (1, np.uint8, {"compression": "zlib", "tile": (16, 16)}),
    "big": (3, np.uint8, {"bigtiff": True}),
}


@pytest.mark.parametrize("name", TIFFS)
def test_tiff(name):
    channels, kind, options = TIFFS[name]
    full = np.iinfo(kind).max + 1
    pixels = np.random.default_rng(0).integers(0, full, (SIDE, SIDE, channels)).astype(kind)
    pixels = pixels[..., 0] if channels == 1 else pixels
    separate = options.get("planarconfig") == "separate"
    options = {"photometric": "minisblack" if channels == 1 else "rgb", **options}
    file = io.BytesIO()
    stored = np.moveaxis(pixels, -1, 0) if separate else pixels
    tifffile.imwrite(file, stored, metadata=None, **options)
    theirs = tifffile.imread(io.BytesIO(file.getvalue()))
    theirs = np.moveaxis(theirs, 0, -1) if separate else theirs
    np.testing.assert_array_equal(theirs, pixels)  # it hands samples on as they are
    theirs = (theirs >> (8 if kind == np.uint16 else 0)).astype(np.uint8)
    theirs = 255 - theirs if options["photometric"] == "miniswhite" else theirs
    np.testing.assert_array_equal(ours(file.getvalue()), flat(theirs.reshape(SIDE, SIDE, channels)))


def test_tiff_palette():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 65536, (3, 256)).astype(np.uint16)
    indices = rng.integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    file = io.BytesIO()
    tifffile.imwrite(file, indices, photometric="palette", colormap=colours, metadata=None)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as tiff:
        theirs = tiff.pages[0].asrgb()
    np.testing.assert_array_equal(ours(file.getvalue()), theirs >> 8)
