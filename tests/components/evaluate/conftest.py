import io
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from PIL import Image

from components.evaluate.config import EvaluateConfig
from components.evaluate.real_features import RealFeatures
from components.evaluate.report import write_report
from components.evaluate.validate import validate
from components.metrics.efficientnet_lite0 import DESCRIPTION
from components.shared.contracts import (
    CONTACT_SHEET,
    DATA,
    GENERATOR,
    METRICS,
    MODEL_INFO,
    REAL_FEATURES,
    SAMPLES,
    SCORES_FILE,
    SHEETS,
    SNAPSHOTS,
    STATISTICS,
    TRAINING,
    discriminator_of,
    epoch_file,
)
from components.shared.files import write_json
from components.shared.pictures import grid, save_png
from components.shared.pixels import normalize
from tests.components.evaluate.extracting import extract_features
from tests.components.evaluate.scores import COMPARISON, SCORES

_LEVELS = {"mean": "mean", "standard_deviation": "std"}.items()

_FACES = Path(__file__).parents[3] / "pipeline" / "demo" / "faces_cc0_1000.zip"
_SHAPE = [64, 64, 3]
_LATENT_SIZE = 8


class Inputs(NamedTuple):
    """What evaluate reads."""

    records: Path
    training: Path


@pytest.fixture(scope="session")
def faces() -> np.ndarray:
    """A few of the demo's pictures, uint8 [128, 64, 64, 3]."""
    with zipfile.ZipFile(_FACES) as archive:
        names = [name for name in archive.namelist() if name.endswith((".jpg", ".png"))][:128]
        pictures = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]
    return np.stack([np.asarray(picture) for picture in pictures])


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """Noise about a color each, uint8 [35, 16, 16, 3]: more than an extractor's batch."""
    random = np.random.default_rng(1)
    colors, noise = random.integers(0, 200, [35, 1, 1, 3]), random.integers(0, 56, [35, 16, 16, 3])
    return (colors + noise).astype(np.uint8)


def _generator(
    units: int, activation: str, spread: float, pixels: np.ndarray, seed: int = 1
) -> keras.Model:
    """Mix rows of pixels, [units, 64·64·3], by weights that follow from the latents."""
    latents = keras.Input([_LATENT_SIZE])
    initializer = keras.initializers.RandomNormal(stddev=spread, seed=seed)
    weights = keras.layers.Dense(units, activation, kernel_initializer=initializer)(latents)
    mix = keras.layers.Dense(pixels.shape[1], "tanh", use_bias=False)
    generator = keras.Model(latents, keras.layers.Reshape(_SHAPE)(mix(weights)))
    mix.kernel.assign(pixels)
    return generator


@pytest.fixture(scope="session")
def good_generator(faces) -> keras.Model:
    """Picks a real picture for each latent: it has 32 of them by heart."""
    pixels = normalize(faces[-32:].astype(np.float32)).clip(-0.99, 0.99).reshape(32, -1)
    return _generator(32, "softmax", 100, np.arctanh(pixels))  # so wide that one wins


@pytest.fixture(scope="session")
def as_good_generator(faces) -> keras.Model:
    """Has the same pictures by heart, and picks others of them for the same latents."""
    pixels = normalize(faces[-32:].astype(np.float32)).clip(-0.99, 0.99).reshape(32, -1)
    return _generator(32, "softmax", 100, np.arctanh(pixels), seed=2)


@pytest.fixture(scope="session")
def noise_generator() -> keras.Model:
    """Pixels that have nothing to do with each other."""
    pixels = np.random.default_rng(0).normal(size=(_LATENT_SIZE, np.prod(_SHAPE)))
    return _generator(_LATENT_SIZE, "linear", 1, pixels)


@pytest.fixture(scope="session")
def broken_generator() -> keras.Model:
    """Not a number, everywhere."""
    pixels = np.full([_LATENT_SIZE, np.prod(_SHAPE)], np.nan)
    return _generator(_LATENT_SIZE, "linear", 1, pixels)


@pytest.fixture(scope="session")
def sheets(faces, tmp_path_factory) -> Path:
    """Folder of the sheets of 80 epochs, small ones."""
    folder = tmp_path_factory.mktemp("training") / SHEETS
    folder.mkdir()
    for epoch in range(81):
        sheet = grid(faces[epoch : epoch + 16, ::4, ::4], 4)
        save_png(folder / epoch_file(epoch, ".png"), sheet)
    return folder


@pytest.fixture
def make_inputs(faces, sheets, make_records, tmp_path) -> Callable[..., Inputs]:
    """Make the folders of ingest and train, with a snapshot after epochs 1, 2, …"""

    def make(*generators: keras.Model, held_out: int = 32) -> Inputs:
        records = make_records(eval=faces[:held_out], train=faces[32:96])
        save_png(records / CONTACT_SHEET, grid(faces[:32], 8))
        training = tmp_path / "training"
        _write_training(training, generators, sheets)
        return Inputs(records, training)

    return make


@pytest.fixture
def make_transform_graph(tmp_path) -> Callable[[np.ndarray], Path]:
    """Write what validate reads of transform's folder, for uint8 [N, H, W, 3] and labels."""

    def make(pictures: np.ndarray, bins: int = 32, labels: Sequence[int] = ()) -> Path:
        folder = tmp_path / "transform_graph"
        folder.mkdir(exist_ok=True)
        channels = pictures.reshape(-1, 3).T
        histograms = [np.histogram(channel, bins, (0, 256))[0] for channel in channels]
        statistics = {
            "mean": channels.mean(axis=1).tolist(),
            "standard_deviation": channels.std(axis=1).tolist(),
            "minimum": channels.min(axis=1).tolist(),
            "maximum": channels.max(axis=1).tolist(),
            "histogram": [(counts / counts.sum()).tolist() for counts in histograms],
        }
        if labels:
            of_each = [pictures[np.array(labels) == label] for label in range(max(labels) + 1)]
            statistics["classes"] = [
                {key: getattr(one.reshape(-1, 3), how)(axis=0).tolist() for key, how in _LEVELS}
                for one in of_each
            ]
        write_json(folder / STATISTICS, statistics)
        return folder

    return make


@pytest.fixture
def described(make_records, make_transform_graph, tmp_path):
    """Validate pictures, half of them held out; `name` stands for what the pictures are."""

    def described(name, pictures, bins=32, labels=(), names=()):
        half = len(pictures) // 2
        records = make_records(
            name, labels={"eval": labels[:half], "train": labels[half:]} if labels else None,
            names=names, eval=pictures[:half], train=pictures[half:],
        )  # fmt: skip
        graph = make_transform_graph(pictures[half:], bins, labels[half:])
        drift = validate(
            records, graph, tmp_path / "home", tmp_path / f"{name} validated", EvaluateConfig()
        )
        return drift, records, tmp_path / f"{name} validated"

    return described


@pytest.fixture
def published(described, noise_generator, tmp_path):
    """Publish a model that learned from these pictures, as version 3."""

    def published(pictures, bins=32, **classes):
        _, _, validation = described("old", pictures, bins, **classes)
        version = tmp_path / "home" / "3"
        version.mkdir(parents=True)
        write_json(version / MODEL_INFO, {"digest": "of its weights"})
        (version / DATA).write_bytes((validation / DATA).read_bytes())
        held_out = pictures[: len(pictures) // 2]
        features = RealFeatures.of(held_out, extract_features(held_out), DESCRIPTION)
        features.save(version / REAL_FEATURES)
        noise_generator.save(version / GENERATOR)
        return version

    return published


@pytest.fixture
def noise(faces):
    """As many pictures as there are faces, and nothing like them."""
    return np.random.default_rng(0).integers(0, 256, faces.shape, np.uint8)


@pytest.fixture
def write_page(make_inputs, make_transform_graph, faces, tmp_path):
    """Write the page of a made-up evaluation; returns its file."""
    inputs, validation = make_inputs(), tmp_path / "validation"
    validate(
        inputs.records, make_transform_graph(faces), tmp_path / "none", validation, EvaluateConfig()
    )
    evaluation, comparison_file = tmp_path / "evaluation", tmp_path / "comparison"
    evaluation.mkdir()
    save_png(evaluation / SAMPLES, grid(faces[:64], 8))
    save_png(evaluation / "nearest.png", grid(faces[64:], 8))

    def write(
        scores: dict[str, Any] = SCORES,
        comparison: dict[str, Any] = COMPARISON,
        without: tuple[str, ...] = (),
    ) -> Path:
        for folder in (inputs.records, inputs.training, evaluation):
            for name in without:
                (folder / name).unlink(missing_ok=True)
        write_json(evaluation / SCORES_FILE, scores)
        write_json(comparison_file, comparison)
        path = tmp_path / "report.html"
        write_report(
            path, **inputs._asdict(), validation=validation, evaluation=evaluation,
            comparison=comparison_file,
        )  # fmt: skip
        return path

    return write


def _write_training(training: Path, generators: tuple[keras.Model, ...], sheets: Path) -> None:
    (training / SNAPSHOTS).mkdir(parents=True)
    shutil.copytree(sheets, training / SHEETS)
    for epoch, generator in enumerate(generators, start=1):
        snapshot = training / SNAPSHOTS / epoch_file(epoch, ".keras")
        generator.save(snapshot)
        discriminator_of(snapshot).write_text(f"of epoch {epoch}")
    lines = [
        {"epoch": epoch, "step": 6 * epoch, "discriminator_loss": 1.1, "generator_loss": 0.9}
        for epoch in (1, 2, 3)
    ]
    (training / METRICS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_json(training / TRAINING, {"config": {"batch_size": 10, "augment": ["<b>color"]}})
