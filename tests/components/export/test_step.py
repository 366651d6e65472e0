import json
import re
import shutil

import keras
import numpy as np
import pytest
from PIL import Image, ImageSequence

from components.export.config import ExportConfig
from components.export.progress import progress_frames
from components.export.saved_model import load_generator, weights_digest
from components.export.step import export
from components.shared.errors import PipelineError
from components.shared.pixels import denormalize
from tests.components.export.judged import publish

GENERATE = """
import sys
sys.modules["components"] = None  # an import of our package fails
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
generate = model.signatures["serving_default"]
spec = generate.structured_input_signature[1]["latents"]
assert (spec.shape.as_list(), spec.dtype) == ([None, 4], tf.float32), spec
np.save(sys.argv[3], generate(latents=tf.constant(np.load(sys.argv[2])))["images"].numpy())
"""


@pytest.fixture
def latents(tmp_path):
    values = np.random.default_rng(0).normal(size=[5, 4]).astype(np.float32)
    np.save(tmp_path / "latents.npy", values)
    return values


def generate_elsewhere(run_python, folder, tmp_path):
    run_python(GENERATE, tmp_path, folder, tmp_path / "latents.npy", tmp_path / "images.npy")
    return np.load(tmp_path / "images.npy")


def durations(path):
    with Image.open(path) as file:
        return [frame.info["duration"] for frame in ImageSequence.Iterator(file)]


def test_the_folder_holds_the_six_products(exported):
    assert sorted(path.name for path in exported.iterdir()) == [
        "dcgan.gif",
        "discriminator.npz",
        "generator.keras",
        "latent_walk.gif",
        "model.json",
        "saved_model",
    ]


def test_tensorflow_alone_generates_the_same_pictures(
    inputs, exported, latents, run_python, tmp_path
):
    images = generate_elsewhere(run_python, exported / "saved_model", tmp_path)
    generator = keras.models.load_model(inputs / "evaluation/generator.keras", compile=False)
    expected = denormalize(generator(latents, training=False).numpy())
    assert images.dtype == np.uint8
    assert images.shape == (5, 8, 8, 3)
    assert images.std() > 20  # pictures, not one colour
    # Rounded, not cut off: never more than half a level from the generator's own output.
    assert np.abs(images - expected).max() <= 0.5 + 1e-3


def test_a_published_version_is_what_tensorflow_loads(exported, latents, run_python, tmp_path):
    version = publish(exported, tmp_path / "published")
    images = generate_elsewhere(run_python, version, tmp_path)
    np.testing.assert_array_equal(
        images, generate_elsewhere(run_python, exported / "saved_model", tmp_path)
    )


def test_each_weight_is_saved_once(inputs, exported):
    """keras.export.ExportArchive saves each twice."""
    generator = load_generator(inputs / "evaluation/generator.keras")
    weights = sum(variable.numpy().nbytes for variable in generator.variables)
    data = next(exported.glob("saved_model/variables/*.data-*")).stat().st_size
    assert data < 1.5 * weights


@pytest.mark.parametrize("name", ["generator.keras", "discriminator.npz"])
def test_both_networks_are_copied(inputs, exported, name):
    assert (exported / name).read_bytes() == (inputs / "evaluation" / name).read_bytes()


def test_model_json_is_what_publish_needs(inputs, exported):
    generator = load_generator(inputs / "evaluation/generator.keras")
    info = json.loads((exported / "model.json").read_text())
    assert info == {
        "name": "faces",
        "licence": "",
        "attribution": "",
        "extractor": {"name": "efficientnet_lite0", "sha256": "f00"},
        "classes": [],
        "class_counts": [],
        "real_images": 100,
        "generated_images": 1000,
        "digest": weights_digest(generator),
        "descends_from": {"source": "base"},
        "scores": json.loads((inputs / "evaluation/scores.json").read_text())["best"],
    }


def test_digest_is_of_the_weights_not_of_the_file(inputs, tmp_path):
    generator = load_generator(inputs / "evaluation/generator.keras")
    digest = weights_digest(generator)
    generator.save(tmp_path / "again.keras")  # another time of writing in the zip
    assert weights_digest(load_generator(tmp_path / "again.keras")) == digest
    for variable in generator.variables:  # each counts, moving statistics too
        before = variable.numpy()
        variable.assign(before * np.float32(1.0001))
        assert weights_digest(generator) != digest, variable.path
        variable.assign(before)


def test_export_reports_and_logs(inputs, tmp_path, caplog):
    caplog.set_level("INFO", logger="dcgan.export")
    report = export(
        inputs / "training", inputs / "evaluation", tmp_path / "model",
        ExportConfig(gif_frames=4, licence="CC0"),
    )  # fmt: skip
    assert (report["name"], report["licence"]) == ("dcgan", "CC0")
    *messages, canary = caplog.messages
    assert messages == [
        "dcgan.gif: 4 frames, 42×59, 0.0 MB",
        "latent_walk.gif: 4 frames, 32×32, 0.0 MB",
        "SavedModel: latents [n, 4] -> images [n, 8, 8, 3]",
    ]
    assert re.fullmatch(
        r"canary: pictures as evaluated, within [01] of 255 levels; "
        r"serving_default [\d.]+ s, generate [\d.]+ s, generate_png [\d.]+ s",
        canary,
    )
    assert durations(tmp_path / "model/dcgan.gif") == [120, 120, 120, 2000]
    assert durations(tmp_path / "model/latent_walk.gif") == [120] * 4  # no stop where it closes


@pytest.mark.usefixtures("untried")
def test_the_walk_is_of_the_trainings_seed(inputs, exported, tmp_path):
    shutil.copytree(inputs / "training", tmp_path / "training")
    training = json.loads((tmp_path / "training/training.json").read_text())
    training["config"]["seed"] = 1
    (tmp_path / "training/training.json").write_text(json.dumps(training))
    export(tmp_path / "training", inputs / "evaluation", tmp_path / "model", ExportConfig())
    same = [
        (tmp_path / "model" / name).read_bytes() == (exported / name).read_bytes()
        for name in ("dcgan.gif", "latent_walk.gif")
    ]
    assert same == [True, False]


def test_no_sheets_is_a_foreseen_error_and_leaves_nothing(inputs, tmp_path):
    shutil.copytree(inputs / "training", tmp_path / "training")
    shutil.rmtree(tmp_path / "training/sheets")
    with pytest.raises(PipelineError, match="no sample sheets"):
        export(tmp_path / "training", inputs / "evaluation", tmp_path / "model", ExportConfig())
    assert not (tmp_path / "model").exists()


def test_a_failure_half_way_leaves_nothing(inputs, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("components.export.step.shutil.copyfile", fail)
    (tmp_path / "out").mkdir()
    with pytest.raises(OSError, match="No space left"):
        export(inputs / "training", inputs / "evaluation", tmp_path / "out/model", ExportConfig())
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.usefixtures("untried")
def test_five_digit_epochs_come_last(inputs, tmp_path, monkeypatch):
    """epoch-10000 sorts before epoch-9999 by name."""
    shutil.copytree(inputs / "training", tmp_path / "training")
    sheets = tmp_path / "training/sheets"
    (sheets / "epoch-0009.png").rename(sheets / "epoch-9999.png")
    (sheets / "epoch-0010.png").rename(sheets / "epoch-10000.png")
    seen = []

    def spy(sheets, most):
        seen.extend(path.stem for path in sheets)
        return progress_frames(sheets, most)

    monkeypatch.setattr("components.export.step.progress_frames", spy)
    export(tmp_path / "training", inputs / "evaluation", tmp_path / "model", ExportConfig())
    assert seen[0] == "epoch-0000"
    assert seen[-2:] == ["epoch-9999", "epoch-10000"]
