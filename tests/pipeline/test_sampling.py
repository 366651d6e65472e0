"""`dcgan sample`: the same pictures from each place that holds a generator."""

import io
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import pipeline
from components.shared.contracts import GENERATOR, SAVED_MODEL
from components.shared.errors import UsageError
from pipeline.sampling import check_grid, save_grid
from tests.components.export.judged import publish


def pixels(file):
    with Image.open(file) as picture:
        return np.asarray(picture)


def test_a_generator_draws_the_same_from_wherever_it_lies(trained, published, draw):
    options = ("--count", 40, "--seed", 3, "--truncation", 0.8)
    expected = draw("--model", trained, *options)
    assert sorted(expected) == [f"sample-{index:04d}.png" for index in range(40)]
    assert len(set(expected.values())) == 40
    for place in (trained / SAVED_MODEL, published.parent, published, published / GENERATOR):
        assert draw("--model", place, *options) == expected, place


def test_the_newest_version_is_drawn_from(trained, draw, tmp_path):
    (tmp_path / "home/9").mkdir(parents=True)
    shutil.copytree(trained / SAVED_MODEL, tmp_path / "home/10")
    assert draw("--model", tmp_path / "home") == draw("--model", trained)


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_model_published_in_a_bucket_is_drawn_from(trained, draw, sample, make_bucket, scheme):
    root = f"{make_bucket(scheme).address}/models"
    version = publish(trained, root)
    expected = draw("--model", trained)
    for place in (version, f"{root}/faces", f"{root}/faces/"):
        assert draw("--model", place) == expected, place
    said = sample("--model", root, code=2)
    assert f"no model in {root}: `dcgan run` makes one" in said
    said = sample("--model", f"{root.partition('/models')[0]}-missing/x", code=2)
    assert "cannot see what is published in" in said


def test_seed_and_truncation_matter(trained, draw):
    options = ((), ("--seed", 1), ("--truncation", 0.5), ("--truncation", 0))
    files = [set(draw("--model", trained, "--count", 8, *more).values()) for more in options]
    assert [len(different) for different in files] == [8, 8, 8, 1]
    assert len(set.union(*files)) == 25


def test_one_grid_or_single_files(trained, sample, draw, tmp_path):
    told = sample("--model", trained, "--count", 5, "--out", "grid.png")
    assert told == "5 samples, seed 0: grid.png\n"
    grid = pixels(tmp_path / "grid.png")
    assert grid.shape == (2 * 10 + 2, 3 * 10 + 2, 3)
    single = draw("--model", trained, "--count", 5)
    for index in range(5):
        top, left = (2 + place * 10 for place in divmod(index, 3))
        picture = pixels(io.BytesIO(single[f"sample-{index:04d}.png"]))
        np.testing.assert_array_equal(grid[top : top + 8, left : left + 8], picture)


@pytest.mark.parametrize(
    ("name", "written"),
    [("x.png", "PNG"), ("x.jpg", "JPEG"), ("x.JPEG", "JPEG"), ("x.webp", "WEBP"), ("x", "PNG")],
)
def test_a_grid_is_what_its_name_says(tmp_path, name, written):
    pictures = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), np.uint8)
    save_grid(pictures, tmp_path / name)
    with Image.open(tmp_path / name) as picture:
        assert (picture.format, picture.size) == (written, (32, 22))
    if written != "JPEG":
        save_grid(pictures, tmp_path / "same.png")
        np.testing.assert_array_equal(pixels(tmp_path / name), pixels(tmp_path / "same.png"))


def test_the_library_gives_pixels(trained, draw):
    pictures = pipeline.sample(trained, count=5, seed=3, truncation=0.8)
    assert (pictures.dtype, pictures.shape) == (np.uint8, (5, 8, 8, 3))
    files = draw("--model", trained, "--count", 5, "--seed", 3, "--truncation", 0.8)
    for picture, name in zip(pictures, sorted(files), strict=True):
        np.testing.assert_array_equal(picture, pixels(io.BytesIO(files[name])))
    fewer = pipeline.sample(str(trained), count=np.int64(2), seed=3, truncation=0.8)
    np.testing.assert_array_equal(fewer, pictures[:2])


def test_the_latest_run_is_drawn_from_unless_another_is_named(trained, sample, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/latest").symlink_to(trained)
    assert sample() == "16 samples, seed 0: samples.png\n"
    sample("--model", trained, "--out", "same.png")
    assert (tmp_path / "samples.png").read_bytes() == (tmp_path / "same.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "x", "--endpoint", "http://x/"], "give one of them"),
        (["--out", "x", "--out-dir", "x"], "give one of them"),
        (["--truncation", "1.5"], "--truncation is 1.5: give a number from 0 to 1"),
        (["--truncation", "nan"], "--truncation is nan"),
        ([], "no model in runs/latest"),
        (["--model", "nothing.keras"], "no model in nothing.keras"),
        (["--model", "a.keras/"], "no model in a.keras/"),
        (["--model", "ftp://x/y"], "--model ftp://x/y: no address in a bucket"),
        (["--model", "broken.keras"], "cannot use the model in broken.keras"),
        (["--model", "other.keras"], "cannot use the model in other.keras"),
        (["--model", "cut"], "cannot use the model in cut"),
    ],
)
def test_what_a_person_can_mend_is_one_line(trained, sample, tmp_path, arguments, message):
    if "broken.keras" in arguments:
        (tmp_path / "broken.keras").write_text("no zip")
    if "other.keras" in arguments:
        pictures = keras.Input([8, 8, 3])
        logits = keras.layers.Dense(1)(keras.layers.Flatten()(pictures))
        keras.Model(pictures, logits).save(tmp_path / "other.keras")
    if "cut" in arguments:
        shutil.copytree(trained / SAVED_MODEL, tmp_path / "cut")
        next(tmp_path.glob("cut/variables/*.data-*")).write_bytes(b"")
    assert message in sample(*arguments, code=2)


@pytest.mark.parametrize(
    ("name", "count", "side", "drawn"),
    [("x.webp", 10_000, 162, 1), ("x.webp", 10_000, 161, 0), ("x.webp", 3_000, 128, None),
     ("x.JPG", 10_000, 653, None), ("x.png", 10_000, 4_000, None), ("x", 10_000, 4_000, None)],
)  # fmt: skip
def test_a_grid_too_large_for_its_format_is_refused_before_it_is_drawn(name, count, side, drawn):
    """Where a grid of pictures as large as usual would be, one tells their size."""
    asked = []

    def draw_one():
        asked.append(side)
        return np.zeros((1, side, side, 3), np.uint8)

    if drawn:
        told = "10,000 pictures make a grid of 16,402×16,402 pixels, and .webp holds at most 16,383"
        with pytest.raises(UsageError, match=told):
            check_grid(Path(name), count, draw_one)
    else:
        check_grid(Path(name), count, draw_one)
    assert bool(asked) is (drawn is not None)


@pytest.mark.parametrize(("name", "most"), [("x.webp", 16_383), ("x.jpg", 65_500)])
def test_a_grid_is_as_large_as_its_format_holds(tmp_path, name, most):
    save_grid(np.zeros((1, 1, most - 4, 3), np.uint8), tmp_path / name)
    with pytest.raises(UsageError, match=rf"make a grid of {most + 1:,}×5 pixels, and .* --count$"):
        save_grid(np.zeros((1, 1, most - 3, 3), np.uint8), tmp_path / f"large {name}")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_cannot_be_written_is_one_line(trained, sample, tmp_path):
    (tmp_path / "file").touch()
    told = sample("--model", trained, "--out", "file/x.png", code=2)
    assert "cannot write --out file/x.png: Not a directory" in told
    told = sample("--model", trained, "--out-dir", "file/x", code=2)
    assert "cannot write to --out-dir file/x: Not a directory" in told


def test_an_old_saved_model_is_told_of(trained, old, sample):
    told = sample("--model", old, code=2)
    assert "old/1 has no signature generate_png" in told
    assert told.endswith("export it again\n")
    shutil.copy(trained / GENERATOR, old / "1")
    told = sample("--model", old, code=2)
    sample(*told.rpartition("lies beside it: ")[2].split())
