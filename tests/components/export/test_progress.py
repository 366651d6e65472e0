import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from components.export.progress import progress_frames
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


def assert_shows(frame, sheet):
    expected = np.asarray(Image.open(sheet))
    np.testing.assert_array_equal(np.asarray(frame)[: expected.shape[0]], expected)


def test_a_frame_per_sheet(make_sheets):
    sheets = make_sheets(7)
    frames = progress_frames(sheets, most=60)
    assert len(frames) == 7
    for frame, sheet in zip(frames, sheets, strict=True):
        assert_shows(frame, sheet)


def test_long_trainings_are_thinned_with_first_and_last_kept(make_sheets):
    sheets = make_sheets(100)
    frames = progress_frames(sheets, most=10)
    assert len(frames) == 10
    assert_shows(frames[0], sheets[0])
    assert_shows(frames[-1], sheets[-1])


def test_the_epoch_is_drawn_under_the_picture(make_sheets):
    """Pillow merges equal frames, so this also keeps a stalled training visible."""
    height = grid(np.zeros([16, 8, 8, 3], np.uint8), 4).shape[0]
    strips = [np.asarray(frame)[height:] for frame in progress_frames(make_sheets(2), most=60)]
    assert strips[0].min() < 80 and strips[0].max() > 240  # dark on light
    assert (strips[0] != strips[1]).any()  # another number


def test_the_number_is_that_of_the_sheet(make_sheets):
    sheet = make_sheets(1, side=16)[0]
    sheet = sheet.rename(sheet.with_name(epoch_file(37, ".png")))
    (frame,) = progress_frames([sheet], most=60)
    expected = Image.new("RGB", frame.size, "white")
    height = grid(np.zeros([16, 16, 16, 3], np.uint8), 4).shape[0]
    ImageDraw.Draw(expected).text((4, height + 1), "epoch 37", "black", ImageFont.load_default(11))
    np.testing.assert_array_equal(np.asarray(frame)[height:], np.asarray(expected)[height:])


def test_sheets_of_large_pictures_are_shrunk(make_sheets):
    (frame, _) = progress_frames(make_sheets(2, side=256), most=60)
    assert 256 <= frame.width <= 400
