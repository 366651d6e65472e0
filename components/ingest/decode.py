"""The bytes of a picture file → uint8 [S, S, 3], or the reason why not.

Colour profiles and gamma are not applied, and of 16 bits the upper 8 are kept, as other
decoders do (libpng's png_set_strip_16, so TensorFlow's). Of several frames or pages the
first counts.
"""

import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import simplejpeg

# Their classes are called by name: Image.open loads plugins when it misses one, and two
# threads that do so at once may each find none. It also warns, which is not safe to silence
# where there are threads.
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from components.ingest.config import IngestConfig
from components.ingest.headers import Header, form_of, read_header, unread_form_of
from components.ingest.reasons import Reason, Rejected

_Colour = tuple[int, int, int]

_OPENERS: dict[str, type[ImageFile.ImageFile]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
# What libjpeg warns of beside sound pixels. It tells the first warning alone.
_HARMLESS = ("extraneous bytes", "JFIF revision", "Adobe color transform", "Invalid SOS")
_TIFF_BITS, _TIFF_PHOTOMETRIC = 258, 262

# By EXIF's orientation: how to turn [H, W, C] upright.
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels.swapaxes(0, 1)[::-1, ::-1],
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}


class Picture(NamedTuple):
    """A picture as training sees it, and the size that it had."""

    pixels: np.ndarray  # uint8 [S, S, 3], RGB
    width: int  # pixels, of the original as shown, that is turned upright
    height: int
    unfinished: bool = False  # whether the file lacks its end, but no pixel


def decode(data: bytes, config: IngestConfig) -> Picture:
    """Decode, turn upright, lay over the background, make square and resize. Threads may.

    Args:
        data: Content of a JPEG, PNG, GIF, BMP, WebP or TIFF file.
        config: Gives the size, how to make square, and the background.

    Returns:
        The picture, of config.image_size.

    Raises:
        Rejected: There is no whole picture of a usable size in `data`.
    """
    if not data:
        raise Rejected(Reason.EMPTY)
    form = form_of(data)
    if form is None:
        if unread := unread_form_of(data):
            raise Rejected(Reason.FORMAT, f"{unread}: convert it to JPEG or PNG")
        raise Rejected(Reason.NOT_A_PICTURE)
    header = read_header(data, form)
    background = _rgb(config.background)
    try:
        if form == "JPEG":
            pixels = _decode_jpeg(header)
        else:
            pixels = _decode_with_pillow(header, form, background)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise Rejected(Reason.TRUNCATED if header.cut else Reason.UNREADABLE) from error
    upright = _UPRIGHT[header.orientation](pixels)
    height, width, _ = upright.shape
    if config.fit == "pad":
        fitted = _pad(upright, config.image_size, background)
    else:
        fitted = _crop(upright, config.image_size)
    return Picture(fitted, width, height, header.unfinished)


def _decode_jpeg(header: Header) -> np.ndarray:
    """Decode a JPEG, three times as fast as Pillow, which also passes damage over in silence."""
    data = header.essence
    target = "CMYK" if header.inks else "RGB"
    try:
        pixels: np.ndarray = simplejpeg.decode_jpeg(data, target)
    except ValueError as error:
        # Of a file without an end, what is wrong besides is not told.
        if header.unfinished or not any(text in str(error) for text in _HARMLESS):
            raise
        pixels = _decode_jpeg_patiently(header)
    if not header.inks:
        return pixels
    inks = 255 - pixels if header.inverted else pixels
    image = Image.frombuffer("CMYK", (header.width, header.height), inks, "raw", "CMYK", 0, 1)
    return np.asarray(image.convert("RGB"))


def _decode_jpeg_patiently(header: Header) -> np.ndarray:
    """Decode in spite of warnings, those about the header included, unlike simplejpeg."""
    with JpegImagePlugin.JpegImageFile(io.BytesIO(header.essence)) as image:
        image.load()
        # Pillow has inverted the inks, whether they are or not.
        return 255 - np.asarray(image) if header.inks else np.asarray(image.convert("RGB"))


def _decode_with_pillow(header: Header, form: str, background: _Colour) -> np.ndarray:
    with _OPENERS[form](io.BytesIO(header.essence)) as image:
        image.load()
        frame = _flat(image, background)
    if frame.shape[:2] == (header.height, header.width):
        return frame
    canvas = np.full((header.height, header.width, 3), background, np.uint8)
    canvas[header.top :, header.left :][: frame.shape[0], : frame.shape[1]] = frame
    return canvas


def _flat(image: Image.Image, background: _Colour) -> np.ndarray:
    """Opaque RGB of a loaded picture, uint8 [H, W, 3]."""
    if image.mode in ("I", "F"):
        raise ValueError("no telling which of its numbers are black and white")
    if image.mode.startswith("I;16"):
        return _flat_grey(image, background)
    if not image.has_transparency_data:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    image = image.convert("RGBA")
    flat = Image.new("RGB", image.size, background)
    flat.paste(image, mask=image)
    return np.asarray(flat)


def _flat_grey(image: Image.Image, background: _Colour) -> np.ndarray:
    """Grey of 12 or 16 bits, which Pillow would clip to white."""
    values, bits, inverted = np.asarray(image), 16, False
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        bits = image.tag_v2[_TIFF_BITS][0]
        inverted = image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0
    grey = (values >> (bits - 8)).astype(np.uint8)
    flat = np.stack([255 - grey if inverted else grey] * 3, axis=-1)
    if "transparency" in image.info:
        flat[values == image.info["transparency"]] = background
    return flat


def _crop(pixels: np.ndarray, image_size: int) -> np.ndarray:
    """Keep the centre square of [H, W, 3], resized."""
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _resize(pixels[top : top + side, left : left + side], image_size, image_size)


def _pad(pixels: np.ndarray, image_size: int, background: _Colour) -> np.ndarray:
    """Fit all of [H, W, 3] into the middle of a square."""
    height, width, _ = pixels.shape
    scale = image_size / max(height, width)
    inner_height, inner_width = (max(1, round(side * scale)) for side in (height, width))
    top, left = (image_size - inner_height) // 2, (image_size - inner_width) // 2
    square = np.full((image_size, image_size, 3), background, np.uint8)
    inner = _resize(pixels, inner_height, inner_width)
    square[top : top + inner_height, left : left + inner_width] = inner
    return square


def _resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize; Pillow widens its filter where it shrinks, so nothing aliases."""
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)
    resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(resized)


def _rgb(colour: str) -> _Colour:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
