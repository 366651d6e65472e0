import gc
import re

import numpy as np
import pytest
import tensorflow as tf

from components.evaluate.extractors import saved_model
from tests.components.evaluate.extracting import check_company, load, refusal


class Mean(tf.Module):
    """Means of the channels, mixed by a variable."""

    def __init__(self):
        super().__init__()
        self.mix = tf.Variable(tf.eye(3) * [1.0, 2.0, 3.0])

    def describe(self, images):
        # A signature lets other shapes through than its own.
        pixels = tf.cast(tf.ensure_shape(images, images.shape), tf.float32)
        return {"features": tf.reduce_mean(pixels, [1, 2]) @ self.mix}


def save(folder, shape, dtype, result=None):
    model = Mean()
    specification = tf.TensorSpec(shape, dtype, "images")
    signature = tf.function(result or model.describe, [specification])
    tf.saved_model.save(model, str(folder), {"serving_default": signature})
    return folder


@pytest.mark.parametrize("dtype", [tf.uint8, tf.float32])
@pytest.mark.parametrize("side", [None, 8])
def test_any_saved_model(pictures, tmp_path, dtype, side):
    extractor = load("saved_model", save(tmp_path / "mean", [None, side, side, 3], dtype))
    gc.collect()  # what its signature needs must stay
    assert extractor.description == {
        "name": "saved_model",
        "sha256": extractor.description["sha256"],
        "resize": "bilinear to 8×8, antialiased" if side else "none",
        "dtype": "float32",
    }
    pixels = pictures
    if side:
        pixels = tf.image.resize(pictures, [side, side], "bilinear", antialias=True).numpy()
        pixels = np.rint(pixels) if dtype == tf.uint8 else pixels
    expected = pixels.mean(axis=(1, 2), dtype=np.float64) * [1, 2, 3]
    np.testing.assert_allclose(extractor(pictures), expected, rtol=1e-5)
    check_company(extractor, pictures)


def test_saved_model_is_known_by_all_of_its_files(tmp_path):
    folder = save(tmp_path / "mean", [None, None, None, 3], tf.uint8)
    sha256 = load("saved_model", folder).description["sha256"]
    copy = folder.rename(tmp_path / "moved")
    assert saved_model.load(str(copy), sha256).description["sha256"] == sha256
    (copy / "assets").mkdir(exist_ok=True)
    note = copy / "assets" / "note.txt"
    note.touch()
    said = refusal("saved_model", copy, sha256)
    assert f"{copy} has SHA-256 " in said
    note.rename(copy / "assets" / "other.txt")
    assert refusal("saved_model", copy, sha256) != said


def test_what_is_no_saved_model_of_pictures_is_refused(tmp_path):
    said = refusal("saved_model", tmp_path)
    assert f"no SavedModel in {tmp_path}: name the folder that holds saved_model.pb" in said
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_text("text")
    assert f"cannot load the SavedModel in {broken} (" in refusal("saved_model", broken)
    picture = [None, None, None, 3]
    others = {
        "vectors": ([None, 5], tf.float32, lambda x: {"y": x}),
        "one": ([1, 8, 8, 3], tf.uint8, None),
        "whole": (picture, tf.int32, None),
        "map": (picture, tf.float32, lambda x: {"y": x}),
        "labels": (picture, tf.uint8, lambda x: {"y": tf.cast(x[:, 0, 0], tf.int64)}),
        "two": (picture, tf.float32, lambda x: {"y": x[:, 0, 0], "z": x[:, 1, 1]}),
    }
    for name, (shape, dtype, result) in others.items():
        said = refusal("saved_model", save(tmp_path / name, shape, dtype, result))
        assert f"{tmp_path / name} has no serving_default of pictures, uint8 or float32" in said
        assert re.search(
            r"it takes \[TensorSpec\(shape=.* \(its signatures: serving_default\)", said
        )
    tf.saved_model.save(Mean(), str(tmp_path / "bare"))
    assert "(its signatures: none)" in refusal("saved_model", tmp_path / "bare")
