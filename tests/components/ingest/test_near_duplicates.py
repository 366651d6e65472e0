import io
import random
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from components.ingest.config import IngestConfig
from components.ingest.decode import decode
from components.ingest.near_duplicates import (
    HASH_BYTES,
    MAX_DISTANCE,
    count_near_duplicates,
    difference_hash,
)
from tests.components.ingest.zoo_files import encode

FACES = Path("pipeline/demo/faces_cc0_1000.zip")
CONFIG = IngestConfig(image_size=64)


@pytest.fixture(scope="module")
def faces():
    with zipfile.ZipFile(FACES) as archive:
        names = [name for name in archive.namelist() if name.endswith((".jpg", ".png"))]
        return [decode(archive.read(name), CONFIG).pixels for name in sorted(names)[:300]]


def reencoded(pixels: np.ndarray, form: str, **options) -> np.ndarray:
    return decode(encode(Image.fromarray(pixels), form, **options), CONFIG).pixels


def shrunk(pixels: np.ndarray) -> np.ndarray:
    small = Image.fromarray(pixels).resize((48, 48), Image.Resampling.LANCZOS)
    return decode(encode(small, "PNG"), CONFIG).pixels


CHANGES = {
    "JPEG q50": lambda pixels: reencoded(pixels, "JPEG", quality=50),
    "JPEG q90": lambda pixels: reencoded(pixels, "JPEG", quality=90),
    "WebP": lambda pixels: reencoded(pixels, "WEBP"),
    "shrunk": shrunk,
    "brighter": lambda pixels: np.clip(pixels.astype(int) + 5, 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_face_encoded_again_is_found(faces, change):
    found = sum(
        count_near_duplicates([difference_hash(face), difference_hash(CHANGES[change](face))])
        for face in faces
    )
    assert found >= 0.98 * len(faces)


def test_different_faces_are_not(faces):
    assert count_near_duplicates(map(difference_hash, faces)) == 0


def test_equal_pictures_are_near():
    assert count_near_duplicates([b"a" * HASH_BYTES] * 5 + [b"z" * HASH_BYTES] * 2) == 5
    assert count_near_duplicates([b"a" * HASH_BYTES]) == 0
    assert count_near_duplicates([]) == 0


@pytest.mark.parametrize(("bits", "near"), [(MAX_DISTANCE, 1), (MAX_DISTANCE + 1, 0)])
def test_the_distance_decides_wherever_the_bits_are(bits, near):
    rng = np.random.default_rng(0)
    for _ in range(50):
        word = rng.integers(0, 2, 8 * HASH_BYTES, np.uint8)
        other = word.copy()
        other[rng.choice(len(word), bits, replace=False)] ^= 1
        assert count_near_duplicates(np.packbits(each).tobytes() for each in (word, other)) == near


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 60))
def test_the_count_equals_that_of_all_pairs_in_any_order(seed, count):
    rng = np.random.default_rng(seed)
    few = rng.integers(0, 256, (8, HASH_BYTES), np.uint8)
    flips = np.packbits(rng.random((count, 8 * HASH_BYTES)) < 0.03, axis=1)
    hashes = [row.tobytes() for row in few[rng.integers(0, 8, count)] ^ flips]
    number = count_near_duplicates(hashes)
    random.Random(seed).shuffle(hashes)
    assert count_near_duplicates(hashes) == number

    def order(value: bytes) -> list[int]:
        return list(np.frombuffer(value, np.uint64)[::-1])

    hashes.sort(key=order)
    ints = [int.from_bytes(value, "big") for value in hashes]
    assert number == sum(
        any((value ^ earlier).bit_count() <= MAX_DISTANCE for earlier in ints[:index])
        for index, value in enumerate(ints)
    )


def test_a_crowd_ends_soon():
    rng = np.random.default_rng(0)
    crowd = np.packbits(rng.random((20_000, 8 * HASH_BYTES)) < 0.03, axis=1)
    assert count_near_duplicates(row.tobytes() for row in crowd) > 19_000


def test_threads_may_hash(faces):
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(difference_hash, faces)) == [difference_hash(face) for face in faces]


def test_a_plain_picture_has_a_hash():
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(file, "PNG")
    assert difference_hash(decode(file.getvalue(), CONFIG).pixels) == bytes(HASH_BYTES)
