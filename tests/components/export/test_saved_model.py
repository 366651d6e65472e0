"""The signatures that draw by themselves, from a SavedModel that TensorFlow alone loads."""

import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.export.saved_model import signatures_of
from tests.components.export.judged import publish

GENERATE = """
import sys
sys.modules["components"] = sys.modules["keras"] = None  # an import of them fails
import json, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
scalars = zip(("count", "seed", "truncation"), json.loads(sys.argv[2]))
dtypes = {"truncation": tf.float32}
asked = {name: tf.constant(value, dtypes.get(name, tf.int32)) for name, value in scalars}
pngs = model.signatures["generate_png"](**asked)["png_bytes"].numpy()
images = model.signatures["generate"](**asked)["images"]
assert images.dtype == tf.uint8 and images.shape == (asked["count"], 8, 8, 3), images
for png, image in zip(pngs, images, strict=True):
    assert (tf.io.decode_png(png) == image).numpy().all()
print(json.dumps([png.hex() for png in pngs.tolist()]))
"""


@pytest.fixture(scope="module")
def model(exported):
    return tf.saved_model.load(str(exported / "saved_model"))


@pytest.fixture(scope="module")
def draw(model):
    """PNG files of the exported model."""

    def draw(count, seed=0, truncation=1.0):
        asked = {"count": tf.constant(count), "seed": tf.constant(seed)}
        truncation = tf.constant(truncation, tf.float32)
        pngs = model.signatures["generate_png"](**asked, truncation=truncation)["png_bytes"]
        return pngs.numpy().tolist()

    return draw


def pixels(pngs):
    return np.stack([np.asarray(Image.open(io.BytesIO(png))) for png in pngs])


def test_another_process_draws_the_same_pngs_with_tensorflow_alone(
    exported, draw, run_python, tmp_path
):
    version = publish(exported, tmp_path / "published")
    asked = json.dumps([40, 7, 0.9])
    told = run_python(GENERATE, tmp_path, version, asked)
    assert [bytes.fromhex(png) for png in json.loads(told)] == draw(40, 7, 0.9)


def test_no_picture_depends_on_how_many_were_asked_for(draw):
    many = draw(300, seed=3)
    assert len(set(many)) == 300
    for count in (1, 7, 32, 33):
        assert draw(count, seed=3) == many[:count]


def test_every_batch_is_of_one_size():
    """A generator whose pictures show how many are drawn at once, as float sums faintly do."""

    class BatchSize(keras.layers.Layer):
        def call(self, values):
            return values * 0 + tf.cast(tf.shape(values)[0], tf.float32) / 256

    latents = keras.Input([12])
    telling = keras.Model(latents, BatchSize()(keras.layers.Reshape([2, 2, 3])(latents)))
    generate = signatures_of(telling)["generate"]
    shown = [np.unique(generate(count, 0, 1.0)["images"]).tolist() for count in (1, 7, 300)]
    assert shown[0] == shown[1] == shown[2]
    assert len(shown[0]) == 1


def test_another_seed_draws_other_pictures(draw):
    drawn = [*draw(8, seed=0), *draw(8, seed=1), *draw(8, seed=-1), *draw(8, seed=2**31 - 1)]
    assert len(set(drawn)) == 32


def test_truncation_scales_the_latents(model, draw):
    assert len(set(draw(40, truncation=0.0))) == 1
    middle = model.signatures["serving_default"](latents=tf.zeros([1, 4]))["images"]
    np.testing.assert_array_equal(pixels(draw(1, truncation=0.0)), middle)
    spread = [pixels(draw(100, truncation=by)).std(axis=0).mean() for by in (0.3, 0.6, 1.0)]
    assert spread == sorted(spread)
    assert spread[0] < 0.8 * spread[2]


def test_latents_are_standard_normal():
    """What a generator gets, seen through one that gives back its latents, scaled."""
    latents = keras.Input([12])
    scaled = keras.layers.Rescaling(1 / 8)(keras.layers.Reshape([2, 2, 3])(latents))
    images = signatures_of(keras.Model(latents, scaled))["generate"](2000, 5, 1.0)["images"]
    seen = (images.numpy().reshape([2000, 12]) - 127.5) / 127.5 * 8
    assert np.abs(seen.mean(axis=0)).max() < 0.1
    assert np.abs(np.cov(seen.T) - np.eye(12)).max() < 0.15
    share = (np.abs(seen) < 1).mean()
    assert share == pytest.approx(0.683, abs=0.02)


@pytest.mark.parametrize("count", [0, -1, 10_001])
def test_what_asks_for_none_or_too_many_is_told_how_many(draw, count):
    with pytest.raises(tf.errors.InvalidArgumentError, match=rf"count must be 1 to 10000.*{count}"):
        draw(count)
