import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from components.export.config import ExportConfig
from components.export.step import export
from components.shared.contracts import (
    DISCRIMINATOR,
    GENERATOR,
    GIF,
    LATENT_WALK,
    SAVED_MODEL,
    SCORES_FILE,
    SHEETS,
    TRAINING,
    epoch_file,
)
from components.shared.files import write_json
from components.shared.pictures import grid, save_png

LATENT_SIZE = 4
IMAGE_SIZE = 8


def _make_generator(seed: int) -> keras.Model:
    """An 8×8 generator with what the real one has: batch norm, transposed convolution, tanh."""
    keras.utils.set_random_seed(seed)
    latents = keras.Input([LATENT_SIZE])
    x = keras.layers.Dense(4 * 4 * 8, use_bias=False)(latents)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.LeakyReLU(0.3)(x)
    x = keras.layers.Reshape([4, 4, 8])(x)
    x = keras.layers.Conv2DTranspose(3, 5, 2, "same", activation="tanh")(x)
    generator = keras.Model(latents, x)
    for variable in generator.variables:  # away from 0 and 1, so that each of them matters
        variable.assign(variable.numpy() + np.random.uniform(-0.3, 0.3, variable.shape))
    return generator


def _make_training(folder: Path, epochs: int) -> None:
    rng = np.random.default_rng(0)
    (folder / SHEETS).mkdir(parents=True)
    for epoch in range(epochs + 1):
        pictures = rng.integers(0, 256, [16, IMAGE_SIZE, IMAGE_SIZE, 3], np.uint8)
        save_png(folder / SHEETS / epoch_file(epoch, ".png"), grid(pictures, 4))
    training = {
        "config": {"latent_size": LATENT_SIZE, "batch_size": 10, "augment": ["color"], "seed": 0},
        "epochs": epochs,
        "steps": 1234,
        "images_seen": 12340,
        "seconds": 5.0,
        "descends_from": {"source": "base"},
        "data": {
            "digest": "abc123",
            "image_size": IMAGE_SIZE,
            "counts": {"train": 900, "eval": 100},
        },
    }
    write_json(folder / TRAINING, training)


def _make_evaluation(folder: Path, seed: int = 0) -> None:
    folder.mkdir()
    _make_generator(seed).save(folder / GENERATOR)
    (folder / DISCRIMINATOR).write_text("of that generator")
    best = {
        "epoch": 3,
        "kid": 0.27312,
        "frechet_distance": 150.25,
        "precision": 0.5,
        "recall": 0.25,
        "density": 0.4,
        "coverage": None,
    }
    scores = {
        "extractor": {"name": "efficientnet_lite0", "sha256": "f00"},
        "real_images": 100,
        "generated_images": 1000,
        "snapshots": [best],
        "best": best,
    }
    write_json(folder / SCORES_FILE, scores)


def _make_model(folder: Path, digest: str, *, name: str = "faces") -> Path:
    """What publish sees of an exported model, without TensorFlow."""
    (folder / SAVED_MODEL / "variables").mkdir(parents=True)
    for path in (
        f"{SAVED_MODEL}/saved_model.pb",
        f"{SAVED_MODEL}/variables/variables.index",
        GENERATOR,
        DISCRIMINATOR,
        GIF,
        LATENT_WALK,
        "dcgan.webp",  # one of those that options ask for
    ):
        (folder / path).write_text(f"{path} of {digest}")
    write_json(folder / "model.json", {"name": name, "digest": digest})
    return folder


def run_python(code: str, cwd: Path, *arguments: object) -> str:
    """Run code in a new process that cannot import this repository; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """A folder with `training` (epochs 0 to 10) and `evaluation`."""
    root = tmp_path_factory.mktemp("inputs")
    _make_training(root / "training", epochs=10)
    _make_evaluation(root / "evaluation")
    return root


@pytest.fixture(scope="session")
def exported(inputs, tmp_path_factory):
    """The folder that export makes of `inputs`."""
    model = tmp_path_factory.mktemp("exported") / "model"
    export(inputs / "training", inputs / "evaluation", model, ExportConfig(model_name="faces"))
    return model


@pytest.fixture
def untried(monkeypatch):
    """Export without its canary, a process of seconds; test_canary and `exported` have it."""
    monkeypatch.setattr("components.export.step.try_saved_model", lambda *_: None)


@pytest.fixture(scope="session")
def make_model():
    return _make_model


@pytest.fixture(scope="session", name="run_python")
def run_python_fixture():
    return run_python


@pytest.fixture(params=["folder", "s3", "gs"])
def root(request, tmp_path, make_bucket):
    """A publish root that does not exist yet."""
    if request.param == "folder":
        return str(tmp_path / "root")
    return f"{make_bucket(request.param).address}/some/models"


@pytest.fixture
def start_python():
    """Start code in new processes, which are killed when the test ends."""
    started = []

    def start(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", code, *map(str, arguments)],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
