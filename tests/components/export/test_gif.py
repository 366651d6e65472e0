import numpy as np
import pytest
from PIL import Image

from components.export.gif import write_gif


def noise(count, width=40, height=30):
    """The worst there is to compress: nothing in a frame tells of the rest or of another."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, [count, height, width, 3], np.uint8)
    return [Image.fromarray(frame) for frame in pixels]


def rolling_ramps(count):
    ramp = np.linspace([0, 50, 255], [255, 50, 0], 120).astype(np.uint8)
    return [
        Image.fromarray(np.roll(ramp, step, 0)[np.newaxis].repeat(8, 0)) for step in range(count)
    ]


def read(path):
    """Frames as RGB, their durations, and how often the GIF loops (0: endlessly)."""
    frames, durations = [], []
    with Image.open(path) as file:
        for index in range(file.n_frames):
            file.seek(index)
            frames.append(np.asarray(file.convert("RGB")))
            durations.append(file.info["duration"])
        return frames, durations, file.info["loop"]


def test_the_last_frame_is_held_and_the_rest_loop_endlessly(tmp_path):
    drawn = rolling_ramps(100)
    assert write_gif(tmp_path / "x.gif", drawn, frame_ms=120, hold_ms=2000) == (120, 8)
    frames, durations, loop = read(tmp_path / "x.gif")
    assert durations == [120] * 99 + [2000]
    assert loop == 0
    for frame, expected in zip(frames, drawn, strict=True):
        assert np.abs(frame - np.asarray(expected, np.int16)).max() < 8


def test_all_frames_share_256_colours(tmp_path):
    write_gif(tmp_path / "x.gif", noise(4), frame_ms=50, hold_ms=50)
    frames, _, _ = read(tmp_path / "x.gif")
    assert len(np.unique(np.concatenate(frames).reshape(-1, 3), axis=0)) <= 256


def test_the_palette_is_that_of_all_frames(tmp_path):
    """A training begins grey and ends in colour."""
    grey = [Image.new("RGB", (120, 8), (level, level, level)) for level in range(100, 120)]
    write_gif(tmp_path / "x.gif", grey + rolling_ramps(20), frame_ms=50, hold_ms=50)
    frames, _, _ = read(tmp_path / "x.gif")
    last = np.asarray(rolling_ramps(20)[-1], np.int16)
    assert np.abs(frames[-1] - last).max() < 16


def test_one_colour_is_not_made_of_dots(tmp_path):
    first, *ramps = rolling_ramps(20)
    flat = Image.new("RGB", (120, 8), (101, 153, 52))  # none of the palette's colours
    write_gif(tmp_path / "x.gif", [first, flat, *ramps], frame_ms=50, hold_ms=50)
    frames, _, _ = read(tmp_path / "x.gif")
    assert len(np.unique(frames[1].reshape(-1, 3), axis=0)) == 1


def test_one_frame_is_held(tmp_path):
    write_gif(tmp_path / "x.gif", noise(1), frame_ms=50, hold_ms=500)
    frames, durations, _ = read(tmp_path / "x.gif")
    assert len(frames) == 1
    assert durations == [500]


@pytest.mark.parametrize(("width", "height"), [(266, 283), (399, 420)])
def test_the_worst_pictures_make_no_more_than_5_megabytes(tmp_path, width, height):
    """Sheets of 64-pixel pictures, and the largest there are, after 59 epochs."""
    frames = noise(60, width, height)
    written = write_gif(tmp_path / "x.gif", frames, frame_ms=120, hold_ms=2000)
    assert 4_500_000 < (tmp_path / "x.gif").stat().st_size <= 5_000_000
    with Image.open(tmp_path / "x.gif") as file:
        assert file.size == written
        assert file.n_frames == 60
        assert file.width / file.height == pytest.approx(width / height, rel=0.01)


def test_more_frames_make_a_larger_file_not_smaller_pictures(tmp_path):
    few, many = noise(60, 240, 240), noise(120, 240, 240)
    sizes = [
        write_gif(tmp_path / "x.gif", frames, frame_ms=50, hold_ms=50) for frames in (few, many)
    ]
    assert sizes == [(240, 240)] * 2
    assert (tmp_path / "x.gif").stat().st_size > 5_000_000


def test_the_same_frames_give_the_same_bytes(tmp_path):
    for name in ("x.gif", "y.gif"):
        write_gif(tmp_path / name, noise(60, 300, 300), frame_ms=50, hold_ms=500)
    assert (tmp_path / "x.gif").read_bytes() == (tmp_path / "y.gif").read_bytes()
