import numpy as np
import pytest
from PIL import Image

from components.shared.pictures import grid, save_png, thin


def test_grid_places_each_picture_row_by_row_in_colour(tmp_path):
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    pictures = np.broadcast_to(colours[:, None, None, :], (3, 4, 4, 3))
    sheet = grid(pictures, columns=2)
    assert sheet.shape == (2 * 6 + 2, 2 * 6 + 2, 3)
    save_png(tmp_path / "sheet.png", sheet)
    read = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert read[3, 3].tolist() == [255, 0, 0]
    assert read[3, 9].tolist() == [0, 255, 0]
    assert read[9, 3].tolist() == [0, 0, 255]
    assert read[9, 9].tolist() == [255, 255, 255]
    assert read[0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("count", [1, 2, 3, 59, 60, 61, 119, 1000])
@pytest.mark.parametrize("most", [2, 3, 60])
def test_thin_is_even_and_keeps_both_ends(count, most):
    chosen = thin(range(count), most)
    assert len(chosen) == min(count, most)
    assert chosen[0] == 0 and chosen[-1] == count - 1
    steps = np.diff(chosen)
    assert not steps.size or (steps.min() >= 1 and steps.max() - steps.min() <= 1)
