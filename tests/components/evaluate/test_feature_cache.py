"""Features are kept, and no state of the cache breaks or changes an evaluation."""

import io
import os
import threading

import numpy as np
import pytest

from components.evaluate.feature_cache import cached_feature_set
from components.metrics.extractor import Extractor

DESCRIPTION = {"name": "net", "sha256": "ab", "resize": "none", "dtype": "float32"}


def features_of(pictures, extractor, root):
    return cached_feature_set(pictures, extractor, 2, root).features


def entries(root):
    """The file of the features, and that of what the pairs come to."""
    return sorted((root / "features").iterdir(), key=lambda path: len(path.name))


@pytest.fixture
def calls():
    """How many pictures each call of the network was given."""
    return []


@pytest.fixture
def extractor(calls):
    def network(pictures):
        calls.append(len(pictures))
        return pictures.reshape(len(pictures), -1)[:, :4].astype(np.float32)

    return Extractor(DESCRIPTION, network)


def saved(write, *arrays, **named):
    buffer = io.BytesIO()
    write(buffer, *arrays, **named)
    return buffer.getvalue()


def test_the_same_pictures_are_described_once(faces, extractor, calls, tmp_path):
    first = features_of(faces[:8], extractor, tmp_path / "new")
    again = features_of(faces[:8].copy(), extractor, tmp_path / "new")
    assert again.dtype == np.float32
    np.testing.assert_array_equal(first, again)
    assert calls == [8]


def test_another_picture_shape_or_extractor_is_another_entry(faces, extractor, calls, tmp_path):
    other = faces[:8].copy()
    other[7, 63, 63, 2] ^= 1
    changed = extractor._replace(description=DESCRIPTION | {"sha256": "0"})
    wide = faces[:8].reshape(8, 32, 128, 3)
    for pictures, by in (
        (faces[:8], extractor), (other, extractor), (wide, extractor), (faces[:8], changed)
    ):  # fmt: skip
        features_of(pictures, by, tmp_path)
    assert calls == [8] * 4


def test_a_damaged_entry_is_made_anew(faces, extractor, calls, tmp_path):
    first = features_of(faces[:8], extractor, tmp_path)
    path, _ = entries(tmp_path)
    whole = path.read_bytes()
    flips = [
        bytes([*whole[:at], whole[at] ^ 1, *whole[at + 1 :]]) for at in (0, 40, len(whole) - 1)
    ]
    others = [saved(np.save, first + 1), saved(np.savez, first), b"PK\x05\x06" + bytes(18)]
    damages = [b"", b"nothing", whole[:-9], whole + b"\0", *flips, *others]
    for content in damages:
        path.write_bytes(content)
        np.testing.assert_array_equal(features_of(faces[:8], extractor, tmp_path), first)
    features_of(faces[:8], extractor, tmp_path)  # what was made anew is kept
    assert calls == [8] * (1 + len(damages))


def test_what_the_pairs_come_to_is_kept_for_each_number_of_neighbours(
    faces, extractor, tmp_path, monkeypatch
):
    found = {k: cached_feature_set(faces[:8], extractor, k, tmp_path) for k in (2, 3)}
    monkeypatch.setattr("components.metrics.feature_set._walk", None)
    for k, first in found.items():
        again = cached_feature_set(faces[:8], extractor, k, tmp_path)
        np.testing.assert_array_equal(again.within, first.within)
    assert np.all(found[2].within.squared_radii < found[3].within.squared_radii)


@pytest.mark.parametrize("obstacle", ["root", "folder", "entry"])
def test_where_nothing_can_be_written_nothing_is_kept(
    faces, extractor, calls, tmp_path, caplog, obstacle
):
    caplog.set_level("INFO", logger="dcgan.evaluate")
    root = tmp_path / "root"
    if obstacle == "root":
        root.touch()
    elif obstacle == "folder":
        root.mkdir()
        (root / "features").touch()
    else:
        features_of(faces[:8], extractor, root)
        for path in entries(root):
            path.unlink()
            path.mkdir()
    features = features_of(faces[:8], extractor, root)
    np.testing.assert_array_equal(features, faces[:8].reshape(8, -1)[:, :4])
    assert caplog.messages[-1].startswith("features are not kept: [Errno ")


def test_many_at_once_find_the_same(faces, extractor, tmp_path, monkeypatch):
    monkeypatch.setattr("components.evaluate.feature_cache._KEPT", 1)
    found = []

    def work(start):
        for turn in range(20):
            first = (start + turn) % 3
            pictures = faces[first : first + 8]
            found.append((first, features_of(pictures, extractor, tmp_path)))

    threads = [threading.Thread(target=work, args=[start]) for start in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 120
    for first, features in found:
        np.testing.assert_array_equal(features, faces[first : first + 8].reshape(8, -1)[:, :4])


def test_the_last_used_are_kept(faces, extractor, calls, tmp_path, monkeypatch):
    monkeypatch.setattr("components.evaluate.feature_cache._KEPT", 4)
    folder = tmp_path / "features"
    for end in (4, 5, 4, 6, 4, 5):
        for path in folder.glob("*"):  # a second ago: a disk's clock may be coarse
            earlier = path.stat().st_mtime_ns - 10**9
            os.utime(path, ns=(earlier, earlier))
        features_of(faces[:end], extractor, tmp_path)
    assert calls == [4, 5, 6, 5], "4 was used in between"
    assert len(list(folder.iterdir())) == 4
