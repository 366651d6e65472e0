import sys

import numpy as np
import pytest
from PIL import Image

from components.export.animations import write_animation
from components.export.config import ExportConfig
from components.export.packages import check_packages
from components.export.step import export
from components.shared.errors import UsageError

TIMES = {"frame_ms": 120, "hold_ms": 2000}


def ramps(count, width=45, height=31):
    """Smooth pictures of an odd size, each other than the last."""
    across = np.linspace(0, 200, width)
    return [
        Image.fromarray(
            np.stack(np.broadcast_arrays(across, np.full([height, 1], 50), 12.0 * index), -1)
            .astype(np.uint8)
        )
        for index in range(count)
    ]  # fmt: skip


def assert_alike(frames, expected):
    for frame, picture in zip(frames, expected, strict=True):
        height, width, _ = np.asarray(picture).shape
        assert np.abs(frame[:height, :width] - np.asarray(picture, float)).mean() < 4
        # What was added to make the size even goes on as the edge is.
        for added, edge in (
            (frame[height:], frame[height - 1]),
            (frame[:, width:], frame[:, width - 1 : width]),
        ):
            assert np.abs(added - edge.astype(float)).max(initial=0) < 40


@pytest.mark.parametrize("count", [1, 7])
def test_webp_has_the_frames_to_the_pixel_and_holds_the_last(tmp_path, count):
    write_animation(tmp_path / "x.webp", "webp", ramps(count), **TIMES)
    frames, durations = [], []
    with Image.open(tmp_path / "x.webp") as file:
        for index in range(file.n_frames):
            file.seek(index)
            frames.append(np.asarray(file.convert("RGB")))
            durations.append(file.info["duration"])
        if count > 1:
            assert file.info["loop"] == 0
            assert durations == [120] * (count - 1) + [2000]
    for frame, picture in zip(frames, ramps(count), strict=True):
        np.testing.assert_array_equal(frame, np.asarray(picture))


@pytest.mark.parametrize(("width", "height"), [(45, 31), (64, 48), (266, 283)])
@pytest.mark.parametrize("count", [1, 7])
def test_mp4_is_what_browsers_play_with_the_last_frame_held(tmp_path, width, height, count):
    av = pytest.importorskip("av")
    write_animation(tmp_path / "x.mp4", "mp4", ramps(count, width, height), **TIMES)
    with av.open(tmp_path / "x.mp4") as file:
        (stream,) = file.streams
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height) == (width + width % 2, height + height % 2)
        frames = [(float(one.time), one.to_ndarray(format="rgb24")) for one in file.decode(stream)]
        seconds = float(stream.duration * stream.time_base)
    held = 17  # 2040 ms, the multiple of 120 ms next to 2000
    assert seconds == pytest.approx((count - 1 + held) * 0.12)
    assert [time for time, _ in frames] == pytest.approx(0.12 * np.arange(count - 1 + held))
    expected = ramps(count, width, height)
    assert_alike([frame for _, frame in frames], expected + expected[-1:] * (held - 1))


@pytest.mark.parametrize("frame_ms", [20, 33, 5000])
def test_mp4_keeps_the_time_of_a_frame(tmp_path, frame_ms):
    av = pytest.importorskip("av")
    write_animation(tmp_path / "x.mp4", "mp4", ramps(3), frame_ms=frame_ms, hold_ms=20)
    with av.open(tmp_path / "x.mp4") as file:
        times = [float(frame.time) for frame in file.decode(video=0)]
    assert times == pytest.approx([0, frame_ms / 1000, 2 * frame_ms / 1000])


def test_without_its_package_mp4_is_refused_before_any_work(inputs, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # as if it were not installed
    config = ExportConfig(animations=["webp", "mp4"])
    with pytest.raises(UsageError, match=r"export\.animations: mp4 needs the package av, .*pip"):
        export(inputs / "training", inputs / "evaluation", tmp_path / "model", config)
    assert not (tmp_path / "model").exists()
    check_packages(ExportConfig(animations=["webp"]))
