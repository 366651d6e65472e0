import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.ingest import decode as decoding
from components.ingest.config import IngestConfig
from components.ingest.limits import MAX_PIXELS, MIN_SIDE
from components.ingest.reasons import Reason, Rejected
from tests.components.ingest.zoo_files import png_chunk, png_of, tiff_of

SIZE = 32


def decode(data: bytes, **config) -> np.ndarray:
    return decoding.decode(data, IngestConfig(image_size=SIZE, **config)).pixels


def reason_for(data: bytes) -> str:
    with pytest.raises(Rejected) as caught:
        decode(data)
    return caught.value.reason


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checked = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + checked + struct.pack(">I", 9) + b"IDAT"


def sized_like(form: str, encode, width: int, height: int) -> bytes:
    """A small picture whose header claims another size."""
    if form == "PNG":
        return png_header(width, height)
    data = bytearray(encode(Image.new("RGB", (16, 16)), form))
    at, layout = {"JPEG": (data.find(b"\xff\xc0") + 5, ">HH"), "BMP": (18, "<ii")}[form]
    order = (height, width) if form == "JPEG" else (width, height)
    struct.pack_into(layout, data, at, *order)
    return bytes(data)


def reference(picture: Image.Image, image_size: int = SIZE) -> np.ndarray:
    """The same steps with Pillow alone."""
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = picture.convert("RGB").crop((left, top, left + side, top + side))
    return np.asarray(square.resize((image_size, image_size), Image.Resampling.LANCZOS))


FORMATS = {
    "jpeg": ("JPEG", "RGB", {}),
    "progressive jpeg": ("JPEG", "RGB", {"progressive": True}),
    "444 jpeg": ("JPEG", "RGB", {"subsampling": 0, "quality": 95}),
    "grey jpeg": ("JPEG", "L", {}),
    "cmyk jpeg": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "grey png": ("PNG", "L", {}),
    "bilevel png": ("PNG", "1", {}),
    "palette png": ("PNG", "P", {}),
    "gif": ("GIF", "P", {}),
    "bmp": ("BMP", "RGB", {}),
    "webp": ("WEBP", "RGB", {}),
    "lossless webp": ("WEBP", "RGB", {"lossless": True}),
    "tiff": ("TIFF", "RGB", {}),
    "lzw tiff": ("TIFF", "RGB", {"compression": "tiff_lzw"}),
    "deflated tiff": ("TIFF", "L", {"compression": "tiff_adobe_deflate"}),
    "jpeg in tiff": ("TIFF", "RGB", {"compression": "jpeg"}),
    "fax tiff": ("TIFF", "1", {"compression": "group4"}),
    "tiff palette": ("TIFF", "P", {}),
}


@pytest.fixture(params=FORMATS)
def file(request, picture, encode) -> bytes:
    form, mode, options = FORMATS[request.param]
    return encode(picture(1).convert(mode), form, **options)


def test_pixels_equal_those_of_pillow(file):
    pixels = decode(file)
    assert (pixels.shape, pixels.dtype) == ((SIZE, SIZE, 3), np.uint8)
    np.testing.assert_array_equal(pixels, reference(Image.open(io.BytesIO(file))))


def test_no_cut_of_a_file_passes_as_another_picture(file):
    whole = decode(file)
    reasons = []
    for length in range(1, len(file)):
        try:
            pixels = decode(file[:length])
        except Rejected as rejected:
            reasons.append(rejected.reason)
        else:  # only what comes after the pixels is missing
            assert length > len(file) - 32
            np.testing.assert_array_equal(pixels, whole)
    assert reasons.count(Reason.TRUNCATED) > 0.98 * len(reasons) - 16  # the signature's bytes


def test_half_a_file_is_truncated(file):
    assert reason_for(file[: len(file) // 2]) == Reason.TRUNCATED


def test_a_picture_of_the_right_size_keeps_every_pixel(picture, encode):
    original = picture(2, SIZE, SIZE)
    np.testing.assert_array_equal(decode(encode(original, "PNG")), np.asarray(original))


def test_white_may_be_zero_and_grey_may_have_12_bits():
    tones = (np.arange(SIZE * SIZE).reshape(SIZE, SIZE, 1) * 60).astype(np.uint16)
    grey = np.repeat(tones >> 8, 3, axis=-1)
    np.testing.assert_array_equal(decode(tiff_of(tones, photometric=0)), 255 - grey)
    twelve = np.arange(SIZE * SIZE, dtype=np.uint16).reshape(SIZE, SIZE) * 4
    bits = twelve[..., None] >> np.arange(11, -1, -1) & 1
    packed = np.packbits(bits.astype(np.uint8).ravel()).reshape(SIZE, -1, 1)
    data = tiff_of(packed, photometric=1, tag_256=(4, [SIZE]), tag_258=(3, [12]))
    np.testing.assert_array_equal(decode(data)[..., 0], twelve >> 4)


@pytest.mark.parametrize(("depth", "colours", "key"), [
    (1, 0, [1]), (2, 0, [2]), (4, 0, [7]), (8, 0, [99]), (16, 0, [300]), (8, 2, [1, 2, 3]),
])  # fmt: skip
def test_a_transparent_colour_in_a_png_is_found_at_any_depth(depth, colours, key):
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 2**depth, (SIZE, SIZE, len(key)), np.uint16)
    samples[::3, ::2] = key
    transparent = png_chunk(b"tRNS", np.array(key, ">u2").tobytes())
    plain, keyed = (
        decode(png_of(samples, depth, colours, *chunks), background="#123456")
        for chunks in ((), (transparent,))
    )
    there = (samples == key).all(axis=-1)
    assert (keyed[there] == (0x12, 0x34, 0x56)).all()
    np.testing.assert_array_equal(keyed[~there], plain[~there])


def test_sixteen_bits_of_grey_keep_their_tones(encode):
    tones = (np.arange(SIZE * SIZE).reshape(SIZE, SIZE) * 60).astype(np.uint16)
    pixels = decode(encode(Image.fromarray(tones), "PNG"))
    np.testing.assert_array_equal(pixels, np.stack([tones >> 8] * 3, axis=-1))


def test_transparency_becomes_white(encode):
    rgba = np.zeros((SIZE, SIZE, 4), np.uint8)
    rgba[: SIZE // 2, :, 3] = 255
    rgba[SIZE // 2 :, :, 3] = 0
    rgba[0, 0] = (0, 0, 0, 51)  # a fifth
    pixels = decode(encode(Image.fromarray(rgba), "PNG"))
    assert pixels[0, 0].tolist() == [204] * 3
    assert not pixels[0, 1:].any()
    assert (pixels[SIZE // 2 :] == 255).all()


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_a_transparent_palette_colour_becomes_white(encode, form):
    palette = Image.new("P", (SIZE, SIZE), 0)
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.paste(1, (0, 0, SIZE, SIZE // 2))
    pixels = decode(encode(palette, form, transparency=0))
    assert pixels[0, 0].tolist() == [200, 100, 50]
    assert pixels[-1, 0].tolist() == [255] * 3


def test_the_first_frame_of_an_animation_counts(encode):
    first, second = (Image.new("RGB", (SIZE, SIZE), colour) for colour in ("red", "blue"))
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        options = {"lossless": True} if form == "WEBP" else {}
        data = encode(first, form, save_all=True, append_images=[second], **options)
        assert (decode(data) == [255, 0, 0]).all(), form


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(encode, form, orientation):
    quadrants = Image.new("L", (2, 2))
    quadrants.putdata([0, 80, 160, 240])
    upright = np.asarray(quadrants)
    undo = {1: lambda x: x, 2: np.fliplr, 3: lambda x: np.rot90(x, 2), 4: np.flipud}
    undo |= {
        5: np.transpose,
        6: np.rot90,
        7: lambda x: np.rot90(x.T, 2),
        8: lambda x: np.rot90(x, -1),
    }
    stored = np.kron(undo[orientation](upright), np.ones((16, 16), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(stored).convert("RGB"), form, exif=exif)
    seen = decode(data)[8::16, 8::16, 0]
    np.testing.assert_allclose(seen, upright, atol=4)


def test_damaged_exif_beside_sound_pixels_is_no_reason(picture, encode):
    plain = encode(picture(3), "JPEG")
    segment = b"Exif\0\0" + b"garbage" * 3
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]
    np.testing.assert_array_equal(decode(data), decode(plain))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 5000, "not a picture"),
        (b"<html>404 Not Found</html>", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not a picture"),
        (b"II*\0" + b"\0" * 200, "unreadable"),  # TIFF
        (b"RIFF\x24\0\0\0WAVEfmt ", "not a picture"),
    ],
)
def test_what_is_no_picture(data, reason):
    assert reason_for(data) == reason


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP"])
def test_a_picture_of_too_many_pixels_is_refused_from_its_header(encode, form):
    side = int(MAX_PIXELS**0.5)
    assert reason_for(sized_like(form, encode, side, side)) != Reason.TOO_MANY_PIXELS
    for width, height in ((side, side + 1), (12_000, 12_000), (30_000, 30_000)):
        with warnings.catch_warnings(record=True) as caught:
            assert reason_for(sized_like(form, encode, width, height)) == Reason.TOO_MANY_PIXELS
        assert not caught  # Pillow's own warning would be shown beside ours


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_picture_with_a_short_side_is_too_small(picture, encode, form):
    assert reason_for(encode(picture(4, MIN_SIDE - 1, 100), form)) == Reason.TOO_SMALL
    assert reason_for(encode(picture(4, 100, MIN_SIDE - 1), form)) == Reason.TOO_SMALL
    assert decode(encode(picture(4, MIN_SIDE, 100), form)).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_that_was_cut_and_closed_again_is_unreadable(picture, encode, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(picture(5, 200, 200), "JPEG", exif=exif)
    data = data[: len(data) // 2] + b"\xff\xd9"
    Image.open(io.BytesIO(data)).load()  # Pillow fills it up with grey
    assert reason_for(data) == Reason.UNREADABLE


def test_a_png_with_a_damaged_header_is_unreadable(picture, encode):
    data = bytearray(encode(picture(6), "PNG"))
    data[18] ^= 255
    assert reason_for(bytes(data)) == Reason.UNREADABLE


def test_the_content_counts_and_not_the_length_after_it(picture, encode):
    for form in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"):
        data = encode(picture(7), form)
        np.testing.assert_array_equal(decode(data + b"\0" * 99), decode(data))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_damage_raises_anything_but_a_rejection(data):
    seed = data.draw(st.sampled_from(sorted(FORMATS)))
    form, mode, options = FORMATS[seed]
    file = io.BytesIO()
    Image.linear_gradient("L").resize((20, 20)).convert(mode).save(file, form, **options)
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            assert decode(bytes(content)).shape == (SIZE, SIZE, 3)
        except Rejected as rejected:
            assert rejected.reason in list(Reason)
    assert not caught
