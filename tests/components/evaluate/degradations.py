"""Ten ways to make pictures worse, each by a strength."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

Pictures = np.ndarray  # uint8 [N, S, S, 3]


def _each(change: Callable[[Image.Image], Image.Image], pictures: Pictures) -> Pictures:
    return np.stack([np.asarray(change(Image.fromarray(picture))) for picture in pictures])


def blur(pictures: Pictures, pixels: float) -> Pictures:
    return _each(lambda one: one.filter(ImageFilter.GaussianBlur(pixels)), pictures)


def noise(pictures: Pictures, deviation: float) -> Pictures:
    added = np.random.default_rng(0).normal(0, deviation, pictures.shape)
    return (pictures + added).round().clip(0, 255).astype(np.uint8)


def salt_and_pepper(pictures: Pictures, share: float) -> Pictures:
    random = np.random.default_rng(0)
    hit = random.random(pictures.shape[:3]) < share
    return np.where(hit[..., None], 255 * random.integers(0, 2, (*hit.shape, 1)), pictures).astype(
        np.uint8
    )


def jpeg(pictures: Pictures, roughness: int) -> Pictures:
    def compress(one: Image.Image) -> Image.Image:
        file = io.BytesIO()
        one.save(file, "JPEG", quality=100 - roughness)
        return Image.open(file)

    return _each(compress, pictures)


def pixelate(pictures: Pictures, factor: int) -> Pictures:
    small = pictures[:, factor // 2 :: factor, factor // 2 :: factor]
    return small.repeat(factor, axis=1).repeat(factor, axis=2)


def grey(pictures: Pictures, share: float) -> Pictures:
    return _each(lambda one: ImageEnhance.Color(one).enhance(1 - share), pictures)


def dark(pictures: Pictures, share: float) -> Pictures:
    return _each(lambda one: ImageEnhance.Brightness(one).enhance(1 - share), pictures)


def rotate(pictures: Pictures, degrees: float) -> Pictures:
    return _each(lambda one: one.rotate(degrees, Image.Resampling.BICUBIC), pictures)


def cover(pictures: Pictures, side: int) -> Pictures:
    covered = pictures.copy()
    covered[:, 24 : 24 + side, 24 : 24 + side] = 127
    return covered


def repeat(pictures: Pictures, times: int) -> Pictures:
    return np.resize(pictures[: len(pictures) // times], pictures.shape)


STRENGTHS = [
    (blur, 0.7, 1.5),
    (noise, 10, 30),
    (salt_and_pepper, 0.01, 0.05),
    (jpeg, 70, 95),
    (pixelate, 2, 4),
    (grey, 0.6, 1),
    (dark, 0.3, 0.7),
    (rotate, 15, 45),
    (cover, 12, 36),
    (repeat, 8, 32),
]
