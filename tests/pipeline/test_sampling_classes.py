"""`dcgan sample` of a model with classes: one of them, or a row of each."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import pipeline
from components.export.saved_model import write_saved_model
from components.shared.classes import Classes
from components.shared.contracts import GENERATOR, GIF, MODEL_INFO, SAVED_MODEL
from components.shared.errors import UsageError
from components.shared.files import write_json
from pipeline import sampling
from pipeline.generators import check_class
from tests.components.export.classed import CLASSES, IMAGE_SIZE, NAMES, make_generator
from tests.components.export.judged import publish
from tests.pages import ROOT, blocks_of, commands_of
from tests.serving import serving

LARGEST_FIRST = [1, 2, 0, 3]
SHOWN = "of each class, from the largest on: 0 (1), a/b [c] (2), blå (0), rare (3)\n"
NONE_SO_CALLED = "draws none so called, but 0, a/b [c], blå, rare"


@pytest.fixture(scope="session")
def classed(tmp_path_factory):
    """What a run leaves of a generator with classes."""
    folder = tmp_path_factory.mktemp("classed")
    write_saved_model(folder / SAVED_MODEL, make_generator(), CLASSES)
    make_generator().save(folder / GENERATOR)
    (folder / GIF).touch()
    info = {"name": "dcgan", "digest": "0", "classes": NAMES, "class_counts": CLASSES.counts}
    write_json(folder / MODEL_INFO, info)
    return folder


@pytest.fixture(scope="module")
def served(classed, tmp_path_factory):
    """Address of the same, published and served."""
    published = publish(classed, str(tmp_path_factory.mktemp("published")))
    with serving("dcgan", Path(published).parent) as address:
        yield f"{address}/v1/models/dcgan"


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture)


def cut(sheet, rows, columns):
    """Pictures of a grid: [rows, columns, S, S, 3]."""
    side = IMAGE_SIZE + 2
    assert sheet.shape == (rows * side + 2, columns * side + 2, 3)
    cells = sheet[2:, 2:].reshape(rows, side, columns, side, 3).swapaxes(1, 2)
    return cells[:, :, :IMAGE_SIZE, :IMAGE_SIZE]


def test_the_class_that_is_named_is_drawn(classed, served, draw):
    options = ("--count", 3, "--seed", 7, "--truncation", 0.9)
    signature = tf.saved_model.load(str(classed / SAVED_MODEL)).signatures["generate_class_png"]
    for name in (*NAMES, "2", ""):
        asked = {"count": 3, "seed": 7, "truncation": 0.9, "class_name": name}
        pngs = signature(**{key: tf.constant(value) for key, value in asked.items()})["png_bytes"]
        expected = [pixels(io.BytesIO(png)) for png in pngs.numpy()]
        for place in (("--model", classed), ("--endpoint", served)):
            files = draw(*place, *options, "--class", name)
            assert sorted(files) == [f"sample-000{index}.png" for index in range(3)]
            drawn = [pixels(io.BytesIO(files[file])) for file in sorted(files)]
            np.testing.assert_array_equal(drawn, expected)


def test_a_keras_file_is_told_its_classes_by_what_lies_beside_it(classed, draw, tmp_path):
    options = ("--count", 2, "--class")
    expected = draw("--model", classed, *options, "rare")
    assert draw("--model", classed / GENERATOR, *options, "rare") == expected
    shutil.copy(classed / GENERATOR, tmp_path / "alone.keras")
    assert draw("--model", tmp_path / "alone.keras", *options, "3") == expected


def test_a_grid_has_a_row_a_class_and_the_same_latents_in_each(classed, served, sample, tmp_path):
    told = sample("--model", classed, "--count", 6, "--seed", 2)
    assert told == f"24 samples, seed 2: samples.png\n6 {SHOWN}"
    rows = cut(pixels(tmp_path / "samples.png"), 4, 6)
    for row, number in zip(rows, LARGEST_FIRST, strict=True):
        alone = pipeline.sample(classed, count=6, seed=2, class_name=NAMES[number])
        np.testing.assert_array_equal(row, alone)
    sample("--endpoint", served, "--count", 6, "--seed", 2, "--out", "served.png")
    np.testing.assert_array_equal(pixels(tmp_path / "served.png"), pixels(tmp_path / "samples.png"))


def test_single_files_are_named_by_the_numbers_of_classes(classed, draw):
    files = draw("--model", classed, "--count", 2)
    assert sorted(files) == [
        f"class-{number}-sample-000{index}.png" for number in range(4) for index in range(2)
    ]
    for number, name in enumerate(NAMES):
        alone = draw("--model", classed, "--count", 2, f"--class={name}")
        assert files[f"class-{number}-sample-0001.png"] == alone["sample-0001.png"]


class Many:
    """A generator of 40 classes, each of one level of grey."""

    place = "the model in many"

    @property
    def classes(self):
        return {f"n{number}": (number + 1) / 820 for number in range(40)}

    def draw(self, count, seed, truncation, class_name=None):
        level = int(class_name[1:])
        return [tf.io.encode_png(np.full([4, 4, 3], level, np.uint8)).numpy()] * count


def test_of_many_classes_the_largest_are_shown():
    chosen = sampling.choose(Many(), 2, None)
    assert chosen.numbers == [*range(39, 23, -1)]
    assert chosen.said.startswith("2 of each class, from the largest on: n39 (39), n38 (38), ")
    assert chosen.said.endswith("n24 (24); not the 24 smaller ones: see --class")
    drawn = sampling.draw(Many(), 2, 0, 1.0, chosen.classes)
    assert drawn[:, 0, 0, 0].tolist() == np.repeat(chosen.numbers, 2).tolist()
    with pytest.raises(UsageError, match=r"16 classes that is 10,016 pictures, and 10,000 is"):
        sampling.choose(Many(), 626, None)
    assert sampling.choose(Many(), 10_000, "n3").classes == ["n3"]


def test_the_library_draws_by_shares_unless_a_class_is_named(classed, served):
    signature = tf.saved_model.load(str(classed / SAVED_MODEL)).signatures["generate"]
    expected = signature(count=tf.constant(40), seed=tf.constant(1), truncation=tf.constant(1.0))[
        "images"
    ]
    for given in ({}, {"class_name": ""}):
        np.testing.assert_array_equal(pipeline.sample(classed, count=40, seed=1, **given), expected)
        drawn = pipeline.sample(endpoint=served, count=40, seed=1, **given)
        np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("where", ["model", "endpoint"])
@pytest.mark.parametrize("called", ["Rare", "4", "-1", "a\nb", "\udcff", "a/b"])
def test_a_class_that_there_is_not_is_told_those_there_are(classed, served, sample, where, called):
    place = {"model": classed, "endpoint": served}[where]
    told = sample(f"--{where}", place, f"--class={called}", code=2)
    assert NONE_SO_CALLED in told
    assert str(place) in told


@pytest.mark.parametrize("called", ["red", "0", ""])
def test_a_model_without_classes_draws_none(trained, sample, called):
    told = sample("--model", trained, "--class", called, code=2)
    assert told.startswith(f"error: --class {called}: the model in {trained}/saved_model draws no")
    assert told.endswith("classes: leave it out\n")


def test_a_served_model_without_classes_draws_none(published, sample):
    with serving("faces", published.parent) as address:
        told = sample("--endpoint", f"{address}/v1/models/faces", "--class", "red", code=2)
    assert "draws no classes: leave it out" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--count", 2501], "of 4 classes that is 10,004 pictures, and 10,000 is the most"),
        (["--count", 482, "--out", "x.webp"], "1,928 pictures make a grid of 16,390×138 pixels"),
    ],
)
def test_too_many_for_all_classes_is_told_before_they_are_drawn(classed, sample, arguments, said):
    assert said in sample("--model", classed, *arguments, code=2)


def test_names_that_do_not_fit_the_keras_file_are_told(classed, sample, tmp_path):
    shutil.copy(classed / GENERATOR, tmp_path)
    info = {"classes": ["a", "b"], "class_counts": [1, 1]}
    write_json(tmp_path / MODEL_INFO, info)
    told = sample("--model", tmp_path / GENERATOR, code=2)
    assert "the generator draws 4 classes, and 2 are named" in told


def test_what_a_sentence_names_stays_short():
    with pytest.raises(UsageError, match=r"but n39, n38, n37, n36, n35 and 35 more$"):
        check_class(Many(), "n40")


def test_the_commands_of_the_page_draw(sample, tmp_path):
    """On a run of classes that are called as there."""
    classes = Classes(("red", "green", "blue", "7"), CLASSES.counts)
    write_saved_model(tmp_path / "runs/latest" / SAVED_MODEL, make_generator(), classes)
    run_here = f"run by {Path(__file__).relative_to(ROOT)}"
    blocks = blocks_of(ROOT / "docs/publishing.md")
    (block,) = (block for note, block in blocks if note == run_here)
    commands = commands_of(block)
    assert commands
    for words in commands:
        assert words[:2] == ["dcgan", "sample"]
        sample(*words[2:])
