"""Samples of each class, in records and generators that have three of them."""

import numpy as np
import pytest

from components.evaluate import by_class
from components.evaluate.config import EvaluateConfig
from components.metrics.drawing import Asked, describe
from components.metrics.efficientnet_lite0 import DESCRIPTION
from components.metrics.extractor import Extractor
from components.metrics.kid import kid
from components.shared.classes import Classes
from components.shared.contracts import MANIFEST
from components.shared.files import read_json
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
    return make_records(labels=labels, **splits), splits["eval"], np.array(labels["eval"])


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
    counts[7] = 0
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
