"""How pictures are made square, and what comes under transparent ones."""

import io

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from components.ingest import decode as decoding
from components.ingest.config import IngestConfig
from tests.components.ingest.zoo_files import gif_frame, gif_screen

SIZE = 32


def decode(data: bytes, **config) -> np.ndarray:
    return decoding.decode(data, IngestConfig(image_size=SIZE, **config)).pixels


@pytest.mark.parametrize(("width", "height"), [(50, 32), (32, 50), (33, 32), (32, 33)])
def test_the_centre_is_kept(width, height):
    side = min(width, height)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    top, left = (height - side) // 2, (width - side) // 2
    np.testing.assert_array_equal(
        decode(file.getvalue()), pixels[top : top + side, left : left + side]
    )


@pytest.mark.parametrize(("width", "height"), [(60, 30), (30, 60), (61, 30), (9, 90), (40, 40)])
def test_pad_holds_the_whole_picture_over_the_background(picture, encode, width, height):
    original = picture(8, width, height)
    pixels = decode(encode(original, "PNG"), fit="pad", background="#0a141e")
    scale = SIZE / max(width, height)
    inner = (round(width * scale), round(height * scale))
    left, top = ((SIZE - side) // 2 for side in inner)
    expected = Image.new("RGB", (SIZE, SIZE), (10, 20, 30))
    expected.paste(original.resize(inner, Image.Resampling.LANCZOS), (left, top))
    np.testing.assert_array_equal(pixels, np.asarray(expected))


def test_a_turned_picture_is_padded_as_it_is_shown(encode):
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.new("RGB", (80, 40), "red"), "PNG", exif=exif)
    seen = decoding.decode(data, IngestConfig(image_size=SIZE, fit="pad", background="#000000"))
    assert (seen.width, seen.height) == (40, 80)
    red = np.zeros((SIZE, SIZE, 3), np.uint8)
    red[:, 8:24, 0] = 255
    np.testing.assert_array_equal(seen.pixels, red)


@pytest.mark.parametrize("background", ["white", "#fff", "#ffffff\n", "ffffff", "#gggggg", ""])
def test_a_background_that_is_no_colour_is_refused(background):
    with pytest.raises(ValidationError, match="must be #rrggbb"):
        IngestConfig(background=background)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_transparent_pixels_leave_no_fringe(encode, form, fit):
    """What is transparent has the colour green, and none of it may be seen."""
    rgba = np.zeros((200, 200, 4), np.uint8)
    rgba[..., 1] = 255
    rgba[50:150, 50:150] = (200, 0, 100, 255)
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    pixels = decode(encode(Image.fromarray(rgba), form, **options), fit=fit, background="#c80064")
    assert (pixels == (200, 0, 100)).all()


def test_shades_are_laid_over_the_background(encode):
    rgba = np.zeros((SIZE, SIZE, 4), np.uint8)
    rgba[..., 3] = np.arange(SIZE * SIZE).reshape(SIZE, SIZE) % 256
    pixels = decode(encode(Image.fromarray(rgba), "PNG"), background="#6496c8")
    share = 1 - rgba[..., 3:] / 255
    np.testing.assert_array_equal(pixels, np.rint(share * (100, 150, 200)))


def test_the_uncovered_part_of_a_gif_is_background():
    screen = gif_screen(SIZE, SIZE, palette=bytes([9, 9, 9, 70, 80, 90]))
    pixels = decode(screen + gif_frame(4, 6, 10, 12) + b";", background="#010203")
    expected = np.full((SIZE, SIZE, 3), (1, 2, 3), np.uint8)
    expected[6:18, 4:14] = (70, 80, 90)
    np.testing.assert_array_equal(pixels, expected)


def test_shrinking_does_not_alias(encode):
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255  # without a filter, all white or all black
    pixels = decode(encode(Image.fromarray(stripes), "PNG"))
    assert np.abs(pixels[4:-4, 4:-4].astype(int) - 127).max() <= 2
