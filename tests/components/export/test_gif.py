import numpy as np
import pytest
from PIL import Image

from components.export.gif import write_gif
from components.shared.contracts import epoch_file
from components.shared.pictures import grid, save_png


@pytest.fixture
def make_sheets(tmp_path):
    def make(count, side=8):
        rng = np.random.default_rng(0)
        paths = [tmp_path / epoch_file(epoch, ".png") for epoch in range(count)]
        for path in paths:
            low = rng.integers(0, 256, [16, 2, 2, 3], np.uint8)
            save_png(path, grid(low.repeat(side // 2, axis=1).repeat(side // 2, axis=2), 4))
        return paths

    return make


def read(path):
    """Frames as RGB, their durations, and how often the GIF loops (0: endlessly)."""
    frames, durations = [], []
    with Image.open(path) as file:
        for index in range(file.n_frames):
            file.seek(index)
            frames.append(np.asarray(file.convert("RGB")))
            durations.append(file.info["duration"])
        return frames, durations, file.info["loop"]


def test_a_frame_per_sheet_the_last_one_held_looping_endlessly(make_sheets, tmp_path):
    count = write_gif(tmp_path / "x.gif", make_sheets(7), frames=60, frame_ms=120, hold_ms=2000)
    frames, durations, loop = read(tmp_path / "x.gif")
    assert count == len(frames) == 7
    assert durations == [120] * 6 + [2000]
    assert loop == 0


def test_equal_sheets_stay_frames_of_their_own(make_sheets, tmp_path):
    """Pillow merges equal frames; the epoch drawn on each keeps a stalled training visible."""
    sheets = make_sheets(5)
    for sheet in sheets[1:]:
        sheet.write_bytes(sheets[0].read_bytes())
    write_gif(tmp_path / "x.gif", sheets, frames=60, frame_ms=120, hold_ms=2000)
    assert len(read(tmp_path / "x.gif")[0]) == 5


def test_long_trainings_are_thinned_with_first_and_last_kept(make_sheets, tmp_path):
    sheets = make_sheets(100)
    count = write_gif(tmp_path / "x.gif", sheets, frames=10, frame_ms=50, hold_ms=500)
    frames, durations, _ = read(tmp_path / "x.gif")
    assert count == len(frames) == 10
    assert durations == [50] * 9 + [500]
    for frame, sheet in ((frames[0], sheets[0]), (frames[-1], sheets[-1])):
        with Image.open(sheet) as file:
            expected = np.asarray(file, np.int16)
        assert np.abs(frame[: expected.shape[0]] - expected).mean() < 8


def test_the_epoch_is_drawn_under_the_picture(make_sheets, tmp_path):
    sheets = make_sheets(2)
    write_gif(tmp_path / "x.gif", sheets, frames=60, frame_ms=50, hold_ms=500)
    frames, _, _ = read(tmp_path / "x.gif")
    height = grid(np.zeros([16, 8, 8, 3], np.uint8), 4).shape[0]
    strips = [frame[height:] for frame in frames]
    assert strips[0].min() < 80 and strips[0].max() > 240  # dark on light
    assert (strips[0] != strips[1]).any()  # another number


def test_one_sheet_is_one_frame(make_sheets, tmp_path):
    assert write_gif(tmp_path / "x.gif", make_sheets(1), frames=60, frame_ms=50, hold_ms=500) == 1
    with Image.open(tmp_path / "x.gif") as file:
        assert file.n_frames == 1
        assert file.info["duration"] == 500


def test_sheets_of_large_pictures_are_shrunk(make_sheets, tmp_path):
    write_gif(tmp_path / "x.gif", make_sheets(2, side=256), frames=60, frame_ms=50, hold_ms=500)
    with Image.open(tmp_path / "x.gif") as file:
        assert 256 <= file.width <= 400


def test_the_same_sheets_give_the_same_bytes(make_sheets, tmp_path):
    sheets = make_sheets(4)
    for name in ("x.gif", "y.gif"):
        write_gif(tmp_path / name, sheets, frames=60, frame_ms=50, hold_ms=500)
    assert (tmp_path / "x.gif").read_bytes() == (tmp_path / "y.gif").read_bytes()
