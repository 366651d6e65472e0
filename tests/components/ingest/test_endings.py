"""What follows a picture is not the picture, and a picture without its end is one."""

import random

import numpy as np
import pytest

from components.ingest.config import IngestConfig
from components.ingest.decode import decode
from components.shared.contracts import MANIFEST
from components.shared.files import read_json
from tests.components.ingest.zoo_files import encode, gif_frame, gif_screen, picture

CONFIG = IngestConfig(image_size=32)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_the_same_with_a_video_of_12_mb_behind_it(progressive):
    whole = encode(picture(1, 300, 200), "JPEG", progressive=progressive)
    video = b"\0\0\0\x18ftypmp42" + random.Random(0).randbytes(12 << 20)
    assert video.count(b"\xff\xda") > 100
    np.testing.assert_array_equal(
        decode(whole + video, CONFIG).pixels, decode(whole, CONFIG).pixels
    )


ENDS = {
    "JPEG": (encode(picture(2), "JPEG"), 2),
    "progressive": (encode(picture(2), "JPEG", progressive=True), 2),
    "restarts": (encode(picture(2), "JPEG", restart_marker_rows=1), 2),
    "PNG": (encode(picture(2), "PNG"), 12),
    "GIF": (encode(picture(2), "GIF"), 1),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_picture_without_its_end_has_the_same_pixels_and_is_counted(name):
    whole, end = ENDS[name]
    expected = decode(whole, CONFIG)
    assert not expected.unfinished
    for length in range(len(whole) - end, len(whole)):
        found = decode(whole[:length], CONFIG)
        assert found.unfinished
        np.testing.assert_array_equal(found.pixels, expected.pixels)


def test_the_manifest_counts_pictures_without_an_end(tree, run, caplog):
    for number, (whole, end) in enumerate(ENDS.values()):
        (tree / f"end{number}").write_bytes(whole[:-end])
    frames = gif_screen(16, 16) + gif_frame(0, 0, 16, 16) * 2
    (tree / "frames.gif").write_bytes(frames)
    (tree / "closed.gif").write_bytes(frames + b";")
    caplog.set_level("INFO", "dcgan")
    manifest = read_json(run(tree) / MANIFEST)
    assert manifest["unfinished"] == 6
    assert manifest["counts"]["duplicate"] == 0
    assert "6 pictures lack the end of their file, but no pixel" in caplog.text
    (tree / "twin").write_bytes(frames)
    assert read_json(run(tree, name="second") / MANIFEST)["unfinished"] == 6
