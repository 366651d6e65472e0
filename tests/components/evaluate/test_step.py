import hashlib
import logging
import re

import numpy as np
import pytest
from PIL import Image

from components.evaluate import step as step_module
from components.evaluate.config import EvaluateConfig
from components.evaluate.real_features import RealFeatures
from components.evaluate.step import evaluate
from components.metrics.efficientnet_lite0 import SHA256
from components.shared.contracts import (
    DISCRIMINATOR,
    GENERATOR,
    NEAREST,
    REAL_FEATURES,
    SAMPLES,
    SCORES_FILE,
    SNAPSHOTS,
    discriminator_of,
)
from components.shared.errors import DataRefused, PipelineError
from components.shared.files import read_json
from tests.components.evaluate.extracting import extract_features

CONFIG = EvaluateConfig(samples=32, neighbours=3, max_kid=0.2, min_coverage=0.2)


def _left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_better_of_two_generators_is_chosen(
    make_inputs, good_generator, noise_generator, faces, tmp_path, caplog
):
    caplog.set_level(logging.INFO, "dcgan.evaluate")
    inputs = make_inputs(noise_generator, good_generator, noise_generator)
    output = tmp_path / "evaluation"
    scores = evaluate(*inputs, output, tmp_path / "cache", CONFIG)

    assert scores == read_json(output / SCORES_FILE)
    assert _left_in(output) == sorted(
        [DISCRIMINATOR, GENERATOR, NEAREST, REAL_FEATURES, SAMPLES, SCORES_FILE]
    )
    first, looked_at, third = scores["snapshots"]
    best = scores["best"]
    assert best["epoch"] == 2
    assert best["kid"] < 0.1
    assert best["coverage"] > 0.3
    assert [one["epoch"] for one in scores["snapshots"]] == [1, 2, 3]
    assert [one["samples"] for one in scores["snapshots"]] == [32] * 3
    assert looked_at["kid"] < 0.1
    assert first["kid"] > 0.5
    assert first == third | {"epoch": 1}, "every snapshot is looked at with the same latents"
    assert scores["rungs"] == [{"snapshots": 3, "samples": 32}]
    snapshot = inputs.training / SNAPSHOTS / "epoch-0002.keras"
    assert (output / GENERATOR).read_bytes() == snapshot.read_bytes()
    assert (output / DISCRIMINATOR).read_text() == "of epoch 2"

    sheet = np.asarray(Image.open(output / SAMPLES)).astype(int)
    assert sheet.shape == (4 * 66 + 2, 8 * 66 + 2, 3)  # 32 samples, eight a row
    differences = np.abs(faces[-32:].astype(int) - sheet[2:66, 2:66]).mean(axis=(1, 2, 3))
    assert differences.min() < 3, "the first sample is one of the faces that epoch 2 knows"

    sheet = np.asarray(Image.open(output / NEAREST))
    assert sheet.shape == (4 * 66 + 2, 8 * 66 + 2, 3)
    tile = sheet[2:66, 2:66]
    assert (faces[32:96] == tile).all(axis=(1, 2, 3)).any(), "a training picture, in its place"

    assert abs(scores["controls"]["floor"]["kid"]) < 0.02
    assert scores["controls"]["floor"]["images"] == scores["real_images"] == 32
    assert scores["generated_images"] == 32
    assert scores["extractor"]["name"] == "efficientnet_lite0"
    assert scores["extractor"]["sha256"] == SHA256
    assert scores["config"] == CONFIG.model_dump(mode="json")

    kept = RealFeatures.load(output / REAL_FEATURES)
    assert kept.extractor == scores["extractor"]
    assert kept.digests[0] == hashlib.sha256(faces[0].tobytes()).hexdigest()
    np.testing.assert_array_equal(kept.values, extract_features(faces[:32]))

    assert scores["kid_limit"] == 0.2
    assert scores["standing"].startswith(f"KID {best['kid']:.3f} ± {best['kid_interval']:.3f}:")
    assert caplog.messages[:4] == [
        "looking at 3 snapshots, by 32 samples each",
        *(f"epoch {row['epoch']}: KID {row['kid']:.3f} ± {row['kid_interval']:.3f}"
          for row in scores["snapshots"]),
    ]  # fmt: skip
    assert caplog.messages[4] == "the best is that of epoch 2"
    assert caplog.messages[5] == scores["standing"]
    others = [line for line in caplog.messages if line != scores["standing"]]
    assert max(map(len, others)) <= 68


def test_a_single_snapshot_needs_no_choice(make_inputs, noise_generator, tmp_path):
    inputs = make_inputs(noise_generator)
    discriminator_of(inputs.training / SNAPSHOTS / "epoch-0001.keras").unlink()  # an older training
    scores = evaluate(*inputs, tmp_path / "evaluation", tmp_path / "cache", CONFIG)
    assert not (tmp_path / "evaluation" / DISCRIMINATOR).exists()
    assert scores["best"]["epoch"] == 1
    assert scores["best"]["kid"] > 0.5
    assert scores["rungs"] == scores["snapshots"] == []


def test_the_limit_may_be_that_of_a_control(make_inputs, noise_generator, tmp_path):
    config = CONFIG.model_copy(update={"max_kid": "blurred", "min_coverage": 0})
    scores = evaluate(
        *make_inputs(noise_generator), tmp_path / "evaluation", tmp_path / "cache", config
    )
    blurred = scores["controls"]["blurred"]["kid"]
    assert scores["kid_limit"] == blurred
    assert re.fullmatch(
        rf"KID .*: worse than .*, real pictures blurred by 1 px \({blurred:.3f}\) and .*",
        scores["standing"],
    )


def test_not_a_number_is_not_in_the_json(make_inputs, broken_generator, tmp_path):
    inputs, output = make_inputs(broken_generator, held_out=10), tmp_path / "evaluation"
    scores = evaluate(*inputs, output, tmp_path / "cache", CONFIG)
    assert scores["controls"]["floor"]["difference"] is None
    assert scores["smoothness"]["sentence"].endswith("are not finite numbers")
    assert scores["best"]["kid"] is None
    assert scores["standing"].startswith("no KID: ")
    assert "NaN" not in (output / SCORES_FILE).read_text()
    # Fewer held-out pictures than samples: all are compared with, and as many of training's.
    assert (scores["real_images"], scores["controls"]["floor"]["images"]) == (10, 10)
    assert scores["generated_images"] == CONFIG.samples


@pytest.mark.parametrize("held_out", [6, 20])
def test_fewer_pictures_are_held_out_than_drawn(make_inputs, noise_generator, tmp_path, held_out):
    inputs = make_inputs(noise_generator, held_out=held_out)
    scores = evaluate(*inputs, tmp_path / "evaluation", tmp_path / "cache", CONFIG)
    for control in scores["controls"].values():
        assert control["images"] == scores["real_images"] == held_out
        assert control["difference"] == pytest.approx(scores["best"]["kid"] - control["kid"])
        assert control["difference_interval"] > 0
    assert scores["nearest"]["held_out"] == held_out


def test_a_finite_snapshot_beats_one_that_is_not(
    make_inputs, broken_generator, noise_generator, tmp_path
):
    inputs = make_inputs(broken_generator, noise_generator)
    scores = evaluate(*inputs, tmp_path / "evaluation", tmp_path / "cache", CONFIG)
    assert scores["best"]["epoch"] == 2
    assert scores["snapshots"][0]["kid"] is None


def test_no_snapshot_is_said_so(make_inputs, tmp_path):
    inputs = make_inputs()
    with pytest.raises(PipelineError, match=r"no snapshot of a generator in .*snapshots"):
        evaluate(*inputs, tmp_path / "evaluation", tmp_path / "cache", CONFIG)


@pytest.mark.parametrize("neighbours", [1, 3])
@pytest.mark.parametrize("held_out", [0, 1, 5])
def test_too_few_pictures_for_the_scores_are_said_so(
    make_inputs, noise_generator, tmp_path, neighbours, held_out
):
    inputs = make_inputs(noise_generator, held_out=held_out)
    config = CONFIG.model_copy(update={"neighbours": neighbours})
    with pytest.raises(DataRefused, match=f"^{held_out} pictures are held out and 64 to train on"):
        evaluate(*inputs, tmp_path / "evaluation", tmp_path / "cache", config)


def test_a_failure_leaves_no_half_made_output(make_inputs, noise_generator, tmp_path, monkeypatch):
    inputs = make_inputs(noise_generator)
    before = _left_in(tmp_path)

    def fail(path, _):
        path.write_text("half")
        raise OSError("disk")

    monkeypatch.setattr(step_module, "save_png", fail)
    with pytest.raises(OSError, match="disk"):
        evaluate(*inputs, tmp_path / "evaluation", tmp_path / "cache", CONFIG)
    assert _left_in(tmp_path) == sorted([*before, "cache"])
