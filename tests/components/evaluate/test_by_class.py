"""Samples of each class, in records and generators that have three of them."""

import numpy as np
import pytest
from PIL import Image

from components.evaluate import by_class
from components.evaluate.config import EvaluateConfig
from components.evaluate.gate import compare
from components.evaluate.step import evaluate
from components.metrics.drawing import Asked, describe
from components.metrics.efficientnet_lite0 import DESCRIPTION
from components.metrics.extractor import Extractor
from components.metrics.kid import kid
from components.shared.classes import Classes
from components.shared.contracts import GENERATOR, MANIFEST, MODEL_INFO, SAMPLES, SCORED_BY
from components.shared.files import read_json, write_json
from tests.components.evaluate.extracting import extract_features
from tests.components.evaluate.labelled import labelled_generator, looks_of
from tests.components.metrics.held import held

CONFIG = EvaluateConfig(samples=240)
HELD_OUT = (50, 60, 20)
EXTRACTOR = Extractor(DESCRIPTION, extract_features)
# Colours, where a network would take minutes: [B, 3].
COLOURS = Extractor({}, lambda pictures: pictures.mean(axis=(1, 2)))


@pytest.fixture
def records(make_records, faces):
    """32 training pictures of each of three looks, and some held out, mixed."""
    train = np.concatenate(looks_of(faces[:32]))
    rest = [look[:count] for look, count in zip(looks_of(faces[32:92]), HELD_OUT, strict=True)]
    labels = {"train": np.repeat([0, 1, 2], 32), "eval": np.repeat([0, 1, 2], HELD_OUT)}
    splits = {"train": train, "eval": np.concatenate(rest)}
    for split, pictures in splits.items():
        order = np.random.default_rng(0).permutation(len(pictures))
        splits[split], labels[split] = pictures[order], labels[split][order].tolist()
    folder = make_records("labelled", labels=labels, **splits)
    return folder, splits["eval"], np.array(labels["eval"])


def scored(records, generator, extractor=EXTRACTOR, config=CONFIG):
    folder, held_out, _ = records
    classes = Classes.of(read_json(folder / MANIFEST))
    return by_class.score_classes(
        folder, generator, extractor(held_out), extractor, classes, config
    )


def test_who_obeys_is_told_from_who_does_not(records, faces):
    banks = looks_of(faces[92:124])
    obeys = scored(records, labelled_generator(banks))
    assert obeys["real_obedience"] > 0.9
    assert obeys["obedience"] == pytest.approx(obeys["real_obedience"], abs=0.08)
    assert obeys["samples"] == 80
    assert obeys["all"] == 3
    assert obeys["sentence"] == (
        f"{obeys['obedience']:.0%} of the samples of a class look most like pictures of it, "
        f"as are {obeys['real_obedience']:.0%} of real held-out ones"
    )
    deaf = scored(records, labelled_generator(banks, obeys=False))
    assert deaf["obedience"] == pytest.approx(1 / 3, abs=0.05)
    assert deaf["real_obedience"] == obeys["real_obedience"]
    swapped = scored(records, labelled_generator([banks[1], banks[2], banks[0]]))
    assert swapped["obedience"] < 0.1


def test_each_class_is_scored_by_pictures_of_its_own(records, faces):
    generator = labelled_generator(looks_of(faces[92:124]))
    found = scored(records, generator)
    _, held_out, labels = records
    rows = found["classes"]
    assert [row["name"] for row in rows] == ["class 0", "class 1", "class 2"]
    assert [row["real_images"] for row in rows] == [*HELD_OUT]
    assert [row["share"] for row in rows] == pytest.approx([1 / 3] * 3)
    latents = np.random.default_rng([CONFIG.seed, by_class._STREAM]).standard_normal(
        [80, 8], np.float32
    )
    for number, row in enumerate(rows):
        if HELD_OUT[number] < 50:
            assert row["kid"] is row["kid_interval"] is None
            continue
        drawn = describe(generator, Asked(latents, np.full(80, number, np.int32)), EXTRACTOR)
        expected = kid(held(extract_features(held_out[labels == number]), drawn))
        assert (row["kid"], row["kid_interval"]) == pytest.approx((*expected,))
    assert found["obedience"] == pytest.approx(np.mean([row["obedience"] for row in rows]))


def test_pictures_that_are_no_numbers_are_said_so(records):
    banks = [np.zeros([2, 64, 64, 3], np.uint8)] * 3
    generator = labelled_generator(banks)
    generator.layers[-2].kernel.assign(np.full([6, 64 * 64 * 3], np.nan))
    found = scored(records, generator, COLOURS)
    assert found["obedience"] is None
    assert found["real_obedience"] > 0.3
    assert found["sentence"] == "the pictures of a class are not finite numbers"
    assert all(row["kid"] is None for row in found["classes"])


def test_of_many_classes_the_largest_are_looked_at(make_records):
    """One has no picture to train on, and another one none that is held out."""
    random = np.random.default_rng(0)
    counts = random.permutation(np.arange(45) % 15)
    counts[7], counts[44] = 0, 9
    labels = {"train": np.repeat(np.arange(45), counts), "eval": np.arange(44)}
    labels = {split: numbers.tolist() for split, numbers in labels.items()}
    looks = random.integers(4, 252, [45, 1, 1, 3], np.uint8).repeat(8, 1).repeat(8, 2)
    splits = {split: looks[numbers] for split, numbers in labels.items()}
    records = make_records(labels=labels, **splits), splits["eval"], labels["eval"]
    found = scored(records, labelled_generator([*looks[:, np.newaxis]]), COLOURS)
    assert (found["all"], len(found["classes"])) == (45, 40)
    assert [round(row["share"] * counts.sum()) for row in found["classes"]] == (
        sorted(counts.tolist(), reverse=True)[:40]
    )
    assert found["obedience"] == found["real_obedience"] == 1
    assert found["samples"] == by_class.FEWEST
    assert "of the samples of the 40 largest of 45 classes look most like" in found["sentence"]
    rows = {row["name"]: row for row in found["classes"]}
    assert "class 7" not in rows
    assert (rows["class 44"]["obedience"], rows["class 44"]["real_obedience"]) == (1, None)


def test_evaluate_and_compare_draw_by_class(records, make_inputs, faces, noise, tmp_path, caplog):
    caplog.set_level("INFO", logger="dcgan.evaluate")
    good, bad = (labelled_generator(looks_of(pictures[92:124])) for pictures in (faces, noise))
    folder, config = records[0], CONFIG.model_copy(update={"samples": 130})
    training, output = make_inputs(bad, good, bad).training, tmp_path / "evaluation"
    scores = evaluate(folder, training, output, tmp_path / "cache", config)
    assert scores["best"]["epoch"] == 2
    assert scores["by_class"] == scored(records, good, config=config)
    assert scores["by_class"]["sentence"] in caplog.messages

    sheet = np.asarray(Image.open(output / SAMPLES)).astype(int)
    assert sheet.shape == (6 * 66 + 2, 8 * 66 + 2, 3)  # two rows a class, eight samples a row
    for row, level in enumerate(sheet[2:].reshape(6, 66, -1, 3).mean(axis=(1, 2))):
        assert level.argmax() == row // 2

    names = [row["name"] for row in scores["by_class"]["classes"]]
    info = {"name": "faces", "classes": names, **dict.fromkeys(SCORED_BY)}
    for place, generator in {"model": good, "published/faces/3": bad}.items():
        (tmp_path / place).mkdir(parents=True)
        generator.save(tmp_path / place / GENERATOR)
        write_json(tmp_path / place / MODEL_INFO, info | {"digest": place})
    result = compare(
        folder, output, tmp_path / "model", tmp_path / "published", tmp_path / "comparison",
        tmp_path / "cache", config,
    )  # fmt: skip
    assert result.blessed
    assert result.kid == scores["best"]["kid"]
    assert result.champion_kid > 2 * result.kid
