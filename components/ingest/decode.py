"""The bytes of a picture file → uint8 [S, S, 3], or the reason why not."""

import contextlib
import io
import warnings

import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageOps

from components.ingest.reasons import Reason, Rejected

MIN_SIDE = 8  # pixels
MAX_PIXELS = 64_000_000  # decoded, that is 192 MB

_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG\r\n\x1a\n"
_GIF = b"GIF8"
_BMP = b"BM"
_RIFF, _WEBP = b"RIFF", b"WEBP"
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")  # Pillow's names; EPS would start Ghostscript


def decode(data: bytes, image_size: int) -> np.ndarray:
    """Decode, turn upright, flatten over white, crop the centre square and resize it.

    Args:
        data: Content of a JPEG, PNG, GIF (the first frame counts), BMP or WebP file.
        image_size: Side of the result, pixels.

    Returns:
        uint8 [image_size, image_size, 3], RGB.

    Raises:
        Rejected: There is no whole picture of a usable size in `data`.
    """
    if not data:
        raise Rejected(Reason.EMPTY)
    if not _has_signature(data):
        raise Rejected(Reason.NOT_A_PICTURE)
    pixels = _decode_jpeg(data) if data.startswith(_JPEG) else None
    if pixels is None:
        pixels = _decode_with_pillow(data)
    return _fit(pixels, image_size)


def _has_signature(data: bytes) -> bool:
    return data.startswith((_JPEG, _PNG, _GIF, _BMP)) or (
        data.startswith(_RIFF) and data[8:12] == _WEBP
    )


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Rejected(Reason.TOO_MANY_PIXELS)
    if min(width, height) < MIN_SIDE:
        raise Rejected(Reason.TOO_SMALL)


def _decode_jpeg(data: bytes) -> np.ndarray | None:
    """Decode an ordinary JPEG, three times as fast as Pillow; None leaves it to Pillow.

    Pillow passes damaged pixels over in silence, libjpeg's warnings tell of them.
    """
    try:
        height, width, colorspace, _ = simplejpeg.decode_jpeg_header(data)
        _check_size(width, height)
        if colorspace not in ("RGB", "YCbCr", "Gray"):
            return None
        pixels: np.ndarray = simplejpeg.decode_jpeg(data)
    except ValueError as error:
        if "Corrupt JPEG data" in str(error) and "extraneous bytes" not in str(error):
            raise Rejected(Reason.UNREADABLE) from error
        return None
    return None if b"Exif\0\0" in data and _is_rotated(data) else pixels


def _is_rotated(data: bytes) -> bool:
    with warnings.catch_warnings(), contextlib.suppress(Exception):  # damaged EXIF says nothing
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return False


def _decode_with_pillow(data: bytes) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata, which we do not use
        try:
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                _check_size(*image.size)
                return _upright_rgb(image)
        except Image.DecompressionBombError as error:
            raise Rejected(Reason.TOO_MANY_PIXELS) from error
        except (Rejected, MemoryError):
            raise
        except Exception as error:  # a damaged file makes Pillow raise nearly anything
            reason = Reason.TRUNCATED if _ends_early(data) else Reason.UNREADABLE
            raise Rejected(reason) from error


def _upright_rgb(image: Image.Image) -> np.ndarray:
    image.load()
    with contextlib.suppress(Exception):  # damaged EXIF beside sound pixels
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits of grey, which convert("RGB") clips to white
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.stack([grey] * 3, axis=-1)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _ends_early(data: bytes) -> bool:
    """Whether a file that cannot be decoded lacks its end; trailing padding is no end."""
    tail = data[-64:]
    if data.startswith(_JPEG):
        return b"\xff\xd9" not in tail
    if data.startswith(_PNG):
        return b"IEND" not in tail
    if data.startswith(_GIF):
        return not tail.rstrip(b"\0").endswith(b";")
    if data.startswith(_BMP):
        return int.from_bytes(data[2:6], "little") > len(data)
    return int.from_bytes(data[4:8], "little") + 8 > len(data)


def _fit(pixels: np.ndarray, image_size: int) -> np.ndarray:
    """Crop the centre square and resize it; Pillow's resize widens its filter, so no aliasing."""
    height, width, _ = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    if side == image_size:
        return square
    resized = Image.fromarray(square).resize((image_size, image_size), Image.Resampling.LANCZOS)
    return np.asarray(resized)
