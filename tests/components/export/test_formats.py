import sys

import keras
import numpy as np
import pytest

from components.export.config import ExportConfig
from components.export.formats import write_format
from components.export.packages import check_packages
from components.export.saved_model import load_generator
from components.export.step import export
from components.shared.errors import UsageError
from components.train.config import TrainConfig
from components.train.networks import build_generator

IMAGE_SIZE = 32


@pytest.fixture(scope="module", params=["transposed", "nearest"])
def generator(request, tmp_path_factory):
    """A generator of the trainer's own, with weights as trained ones are, read from its file."""
    keras.utils.set_random_seed(0)
    config = TrainConfig(latent_size=12, base_width=32, upsampling=request.param)
    made = build_generator(config, IMAGE_SIZE)
    for variable in made.variables:
        low, high = (0.5, 1.5) if "variance" in variable.path else (-1, 1)
        variable.assign(np.random.uniform(low, high, variable.shape))
    path = tmp_path_factory.mktemp("generator") / "generator.keras"
    made.save(path)
    return load_generator(path)


@pytest.fixture(params=[1, 5])
def latents(request):
    return np.random.default_rng(0).standard_normal((request.param, 12), np.float32)


def assert_same(images, generator, latents):
    expected = generator(latents, training=False).numpy()
    assert expected.std() > 0.2  # pictures, not one colour
    assert images.dtype == np.float32
    assert images.shape == (len(latents), IMAGE_SIZE, IMAGE_SIZE, 3)
    np.testing.assert_allclose(images, expected, atol=1e-4)


def test_onnx_runtime_draws_what_keras_draws(generator, latents, tmp_path):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    write_format(tmp_path / "x.onnx", "onnx", generator)
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    (images,) = session.run(["images"], {"latents": latents})
    assert_same(images, generator, latents)


# LiteRT, the new home of the same interpreter, is what it tells us to move to.
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
def test_the_interpreter_of_tensorflow_lite_draws_what_keras_draws(generator, latents, tmp_path):
    import tensorflow as tf

    write_format(tmp_path / "x.tflite", "tflite", generator)
    draw = tf.lite.Interpreter(str(tmp_path / "x.tflite")).get_signature_runner()
    assert_same(draw(latents=latents)["images"], generator, latents)


@pytest.mark.usefixtures("untried")
def test_export_writes_what_is_asked_for(inputs, tmp_path):
    export(
        inputs / "training", inputs / "evaluation", tmp_path / "model",
        ExportConfig(animations=["webp"], formats=["tflite"]),
    )  # fmt: skip
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert {"dcgan.webp", "generator.tflite"} < names
    assert not names & {"dcgan.mp4", "generator.onnx"}


def test_without_its_package_onnx_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # as if it were not installed
    with pytest.raises(UsageError, match=r"export\.formats: onnx needs the package tf2onnx, .*pip"):
        check_packages(ExportConfig(formats=["tflite", "onnx"]))
    check_packages(ExportConfig(formats=["tflite"]))
