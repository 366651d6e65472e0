import json
import re
import shutil
import subprocess
import sys

import keras
import pytest

from components.evaluate.config import EvaluateConfig
from components.evaluate.gate import Comparison, compare
from components.evaluate.step import evaluate
from components.metrics.efficientnet_lite0 import DESCRIPTION
from components.shared.contracts import GENERATOR, MODEL_INFO, SCORES_FILE
from components.shared.errors import PipelineError
from components.shared.files import read_json, write_json

CONFIG = EvaluateConfig(samples=32, neighbours=3)
SCORED_BY = {"extractor": DESCRIPTION, "real_images": 32, "generated_images": 32}
REASON = "KID 0.05 is at most 0.5"
NEAREST = {"closer": 0, "samples": 64, "sentence": "0 of 64 samples are nearer"}


def make_model(folder, digest, generator=None, **info):
    """What compare sees of an exported model, and of a published version."""
    folder.mkdir(parents=True)
    if generator is not None:
        generator.save(folder / GENERATOR)
    write_json(folder / MODEL_INFO, {"name": "faces", "digest": digest, **SCORED_BY} | info)
    return folder


def make_evaluation(folder, kid=0.05):
    """What compare sees of an evaluation."""
    folder.mkdir()
    best = {"epoch": 3, "kid": kid, "coverage": 0.5}
    write_json(folder / SCORES_FILE, {"best": best, "controls": {}, "nearest": NEAREST})
    return folder


def compare_in(folder, model, kid=0.05):
    """With what lies in `folder`, without a need for pictures."""
    evaluation = make_evaluation(folder / "evaluation", kid)
    places = folder / "published", folder / "comparison", folder
    return compare(folder, evaluation, model, *places, CONFIG)


@pytest.fixture
def against(make_inputs, tmp_path):
    """Compare a model with published ones, of which the last is the newest."""

    def against(model, *published, held_out=32):
        for version, champion in enumerate(published, start=9):  # as text, 10 is before 9
            make_model(tmp_path / f"published/faces/{version}", f"digest {version}", champion)
        exported = make_model(tmp_path / "model", "digest of the model", model)
        evaluation = make_evaluation(tmp_path / "evaluation of it")
        result = compare(
            make_inputs(held_out=held_out).records, evaluation, exported, tmp_path / "published",
            tmp_path / "comparison", tmp_path / "cache", CONFIG,
        )  # fmt: skip
        assert read_json(tmp_path / "comparison") == result._asdict() | SCORED_BY
        return result

    return against


def test_a_better_model_may_be_published(against, good_generator, noise_generator, caplog):
    caplog.set_level("INFO", logger="dcgan.compare")
    result = against(good_generator, good_generator, noise_generator)
    assert result.blessed is True
    assert result.kid < 0.1
    assert result.champion_kid > 0.5
    assert (result.champion, result.champion_version) == ("digest 10", 10)
    assert result.reason == (
        f"{REASON}; KID {result.kid:.4g} is more than chance ({result.difference_interval:.2g}) "
        f"below version 10's {result.champion_kid:.4g}"
    )
    assert result.difference == pytest.approx(result.kid - result.champion_kid)
    assert caplog.messages == [
        "scoring it and version 10, which is published", result.reason, "blessed"
    ]  # fmt: skip


def test_a_worse_model_may_not(against, good_generator, noise_generator, caplog):
    caplog.set_level("INFO", logger="dcgan.compare")
    result = against(noise_generator, noise_generator, good_generator)
    assert result.blessed is False
    assert result.kid > 0.5
    assert result.champion_kid < 0.1
    assert re.fullmatch(
        rf"{REASON}; KID \S+ is not more than chance \(\S+\) below version 10's \S+",
        result.reason,
    )
    assert caplog.messages[-2:] == [result.reason, "not blessed"]


def test_both_are_scored_as_evaluate_does(
    against, good_generator, noise_generator, make_inputs, tmp_path
):
    """Same pictures, latents and number of samples, on both sides."""
    result = against(good_generator, noise_generator)
    for folder in ("records", "training"):
        (tmp_path / folder).rename(tmp_path / f"{folder} of compare")
    for generator, kid in ((good_generator, result.kid), (noise_generator, result.champion_kid)):
        shutil.rmtree(tmp_path / "records", ignore_errors=True)
        shutil.rmtree(tmp_path / "training", ignore_errors=True)
        inputs, output = make_inputs(generator), tmp_path / f"evaluation {kid}"
        assert evaluate(*inputs, output, tmp_path / "cache", CONFIG)["best"]["kid"] == kid


@pytest.mark.parametrize("swapped", [False, True])
def test_what_is_better_by_chance_alone_replaces_nothing(
    against, good_generator, as_good_generator, swapped
):
    """One of the two has the lower KID, by less than its interval."""
    pair = [good_generator, as_good_generator]
    result = against(*(reversed(pair) if swapped else pair))
    assert 0 < abs(result.difference) < result.difference_interval
    assert result.blessed is False
    assert " is not more than chance " in result.reason


def test_a_tie_keeps_the_published_one(against, good_generator):
    result = against(good_generator, good_generator)
    assert result.blessed is False
    assert result.kid == result.champion_kid


@pytest.mark.parametrize(
    ("kid", "reason"), [(0.05, REASON), (0.6, "KID 0.6 is above 0.5 (evaluate.max_kid)")]
)
def test_without_a_champion_the_limits_decide(kid, reason, tmp_path):
    model = make_model(tmp_path / "model", "a")
    assert compare_in(tmp_path, model, kid) == Comparison(kid < 0.5, reason, kid)


def test_a_version_of_other_making_is_no_champion(tmp_path):
    make_model(tmp_path / "published/faces/1", "b")
    (tmp_path / "published/faces/2").mkdir()
    model = make_model(tmp_path / "model", "a")
    assert compare_in(tmp_path, model) == Comparison(True, REASON, 0.05)


def test_beyond_the_limits_it_is_not_compared(tmp_path):
    make_model(tmp_path / "published/faces/1", "b")
    model = make_model(tmp_path / "model", "a")
    reason = "KID 0.6 is above 0.5 (evaluate.max_kid)"
    assert compare_in(tmp_path, model, 0.6) == Comparison(False, reason, 0.6)


def test_the_published_model_itself_passes_without_tensorflow(tmp_path):
    make_model(tmp_path / "model", "a")
    make_model(tmp_path / "published/faces/7", "a")
    make_evaluation(tmp_path / "evaluation")
    code = (
        "import sys; from pathlib import Path; from components.evaluate.gate import *\n"
        f"root = Path({str(tmp_path)!r})\n"
        "files = root / 'evaluation', root / 'model', root / 'published'\n"
        "compare(root, *files, root / 'comparison', root, EvaluateConfig())\n"
        "assert not {'tensorflow', 'keras', 'numpy'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert json.loads((tmp_path / "comparison").read_text()) == {
        "blessed": True, "reason": "it is version 7, published already", "kid": 0.05,
        "champion": "a", "champion_version": 7, "champion_kid": None,
        "difference": None, "difference_interval": None, **SCORED_BY,
    }  # fmt: skip


def test_a_champion_of_another_size_stays(against, good_generator):
    latents = keras.Input([8])
    pixels = keras.layers.Dense(32 * 32 * 3, "tanh")(latents)
    small = keras.Model(latents, keras.layers.Reshape([32, 32, 3])(pixels))
    result = against(good_generator, small)
    assert result.blessed is False
    assert result.champion_kid is None
    assert result.reason == (
        f"{REASON}; it draws 64×64 pictures, version 9 32×32: set export.model_name"
    )


@pytest.mark.parametrize(
    ("mine", "theirs", "said"),
    [
        ({"classes": ["a", "b"]}, {"classes": ["a", "c"]}, "other classes than @, new: b, gone: c"),
        ({"classes": ["a", "b"]}, {"classes": ["b", "a"]}, "@ classes in another order"),
        ({"classes": ["a", "b"]}, {"classes": []}, "pictures of classes, where @ have none"),
        ({"classes": ["a", "b"]}, {}, "pictures of classes, where @ have none"),
        ({"classes": []}, {"classes": ["a"]}, "pictures without classes, where @ have some"),
    ],
)
def test_a_champion_of_other_classes_stays_uncompared(tmp_path, mine, theirs, said):
    """There are neither pictures nor generators here to compare by."""
    make_model(tmp_path / "published/faces/9", "b", **theirs)
    said = said.replace("@", "version 9's")
    result = compare_in(tmp_path, make_model(tmp_path / "model", "a", **mine))
    reason = f"{REASON}; {said}: set export.model_name"
    assert result == Comparison(False, reason, 0.05, "b", 9)


def test_a_champion_of_other_latents_is_scored_on_its_own(against, good_generator):
    latents = keras.Input([20])
    pixels = keras.layers.Dense(64 * 64 * 3, "tanh")(latents)
    other = keras.Model(latents, keras.layers.Reshape([64, 64, 3])(pixels))
    result = against(good_generator, other)
    assert result.blessed is True
    assert result.champion_kid > 0.5


@pytest.mark.parametrize("held_out", [6, 20])
def test_fewer_pictures_are_held_out_than_drawn(against, good_generator, noise_generator, held_out):
    assert against(good_generator, noise_generator, held_out=held_out).blessed is True


def test_a_model_that_draws_no_numbers_replaces_none(against, good_generator, broken_generator):
    result = against(broken_generator, good_generator)
    assert result.blessed is False
    assert result.kid is None
    assert result.reason == f"{REASON}; its pictures are not finite numbers"


def test_a_champion_that_draws_no_numbers_is_replaced(against, good_generator, broken_generator):
    result = against(good_generator, broken_generator)
    assert result.blessed is True
    assert result.champion_kid is None
    assert result.reason == f"{REASON}; the pictures of version 9 are not finite numbers"


@pytest.mark.parametrize("content", [None, b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_a_champion_that_cannot_be_read_is_said_so(against, good_generator, tmp_path, content):
    version = make_model(tmp_path / "published/faces/11", "b")
    if content is not None:
        (version / GENERATOR).write_bytes(content)
    with pytest.raises(
        PipelineError,
        match=r"cannot read \S+/faces/11/generator\.keras, .*: restore it, or remove version 11",
    ):
        against(good_generator)
    assert not (tmp_path / "comparison").exists()
