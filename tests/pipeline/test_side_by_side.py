"""Runs side by side, made by the code that saves a run's results."""

import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from components.shared.contracts import (
    DRIFT,
    EVAL_SPLIT,
    GENERATOR,
    GIF,
    MANIFEST,
    SAMPLES,
    SAVED_MODEL,
    SCORES_FILE,
    TRAINING,
)
from components.shared.errors import UsageError
from components.shared.files import read_json, write_json
from components.shared.pictures import grid, save_png
from pipeline.config import load_config
from pipeline.results import point_latest_at, save_results
from pipeline.side_by_side import write_side_by_side
from tests.browser import (
    VIEWS,
    assert_contrast,
    assert_fits,
    assert_tab_order,
    opened,
    screenshot,
)
from tests.components.evaluate.html_page import Page
from tests.components.evaluate.scores import COMPARISON, SCORES
from tests.pipeline.test_cli import dcgan


@pytest.fixture
def make_run(tmp_path):
    """Save a run with these scores and settings; returns its folder."""

    def make(name, *overrides, pictures="faces", kid=0.3, **scores):
        folder = tmp_path / "runs" / name
        config = load_config("demo", overrides=overrides)
        epochs = min(config.train.epochs, 450)  # of so many the minutes allowed
        artifacts = _make_artifacts(tmp_path / "artifacts" / name, pictures, epochs)
        best = {**SCORES["best"], "kid": kid}
        write_json(artifacts / "evaluation" / SCORES_FILE, SCORES | scores | {"best": best})
        outputs = {path.name: SimpleNamespace(path=path) for path in artifacts.iterdir()}
        save_results(folder, config, "published", outputs, {}, 300.0)
        point_latest_at(folder)
        return folder

    return make


def _make_artifacts(folder, pictures, epochs):
    for name in ("records", "validation", "training", "evaluation", "model"):
        (folder / name).mkdir(parents=True)
    counts = {"train": 900, EVAL_SPLIT: 100, "duplicate": 0, "rejected": 0}
    shards = {EVAL_SPLIT: [{"name": "eval", "images": 100, "sha256": pictures}]}
    manifest = {"counts": counts, "digest": f"digest of {pictures}", "shards": shards}
    write_json(folder / "records" / MANIFEST, manifest)
    write_json(folder / "validation" / DRIFT, {"sentence": "no model is published yet"})
    training = {"epochs": epochs, "steps": 12345, "images_seen": 360_000, "seconds": 303.0}
    write_json(folder / "training" / TRAINING, training)
    write_json(folder / "comparison", COMPARISON)
    (folder / "report").write_text("<p>a report")
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), np.uint8)
    save_png(folder / "evaluation" / SAMPLES, grid(noise, 8))
    sheets = [Image.fromarray(grid(noise[first : first + 16], 4)) for first in (0, 16)]
    sheets[0].save(folder / "model" / GIF, save_all=True, append_images=sheets[1:])
    (folder / "card").touch()
    (folder / "model" / GENERATOR).touch()
    (folder / "model" / SAVED_MODEL).mkdir()
    return folder


def test_the_command_writes_a_page_of_its_own(make_run, tmp_path):
    make_run("monday", "train.epochs=5", kid=0.4)
    make_run("tuesday", "train.augment=[color]", kid=0.3)
    said = dcgan("compare", "runs/monday", "runs/latest", cwd=tmp_path)
    assert said == "2 runs side by side: comparison.html\n"
    html = (tmp_path / "comparison.html").read_text()
    page = Page(html)
    page.assert_self_contained()
    page.assert_readable_without_seeing(charts=0)
    kinds = [image["src"].split(";")[0] for image in page.all("img")]
    assert kinds == ["data:image/png", "data:image/gif"] * 2
    assert re.search(r'<th scope="row">tuesday<span class="mark">best</span></th>', html)
    assert html.count('class="mark"') == 1
    assert html.count("KID 0.3124 is below 0.3501, that of version 3.") == 2
    assert html.count(f"<p>{SCORES['standing']}.</p>") == 2
    assert '0.4000 <span class="interval">± 0.0215</span>' in html
    assert "Beware" not in html
    assert html.count("<code>net</code>, bicubic, float32, weights <code>ab</code>") == 1
    assert html.count("digest of faces") == 2
    rows = re.findall(r'<th scope="row"><code>(.*?)</code></th><td>(.*?)</td><td>(.*?)</td>', html)
    assert rows == [
        ("train.epochs", "5", "450"),
        ("train.augment", "translation", "color"),
    ]


def test_configuration_of_a_run_repeats_by_epochs_what_minutes_ended(make_run):
    asked = load_config("demo", overrides=["train.minutes=7"])
    saved = load_config(file=make_run("monday", "train.minutes=7") / "config.yaml")
    assert saved == asked.model_copy(update={"train": asked.train.by_epochs(450)})
    assert (saved.train.epochs, saved.train.minutes) == (450, 0)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"extractor": SCORES["extractor"] | {"name": "other"}}, "made by different extractors"),
        ({"real_images": 999}, "made with different numbers of pictures"),
        ({"generated_images": 999}, "made with different numbers of pictures"),
        ({"pictures": "cats"}, "made against different held-out pictures"),
        (
            {"real_images": 999, "generated_images": 9, "pictures": "cats"},
            "made with different numbers of pictures and against different held-out pictures",
        ),
    ],
)
def test_runs_that_are_not_comparable_are_said_so(make_run, tmp_path, other, words):
    make_run("monday")
    make_run("tuesday", **other)
    out = tmp_path / "page.html"
    said = dcgan("compare", "runs/monday", "runs/tuesday", "--out", out, cwd=tmp_path)
    sentence = f"their scores are not comparable: they were {words}"
    assert f"beware: {sentence}\n" in said
    assert f"</strong> {sentence}.</p>" in out.read_text()
    assert "<dt>monday</dt>" in out.read_text(), "each has its own"
    assert 'class="mark"' not in out.read_text(), "none is called the best"


def test_a_run_of_scores_that_are_not_finite_is_no_mistake(make_run, tmp_path):
    runs = [make_run("monday", kid=None), make_run("tuesday", kid=0.2)]
    write_side_by_side(runs, tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert re.search(r'<th scope="row">monday</th>\s*<td data-label="KID">–</td>', html)
    assert re.search(r'<th scope="row">tuesday<span class="mark">best', html)


def test_a_run_that_does_not_know_where_it_stands_is_no_mistake(make_run, tmp_path):
    monday, tuesday = make_run("monday"), make_run("tuesday")
    values = read_json(monday / "run.json")
    del values["standing"]
    write_json(monday / "run.json", values)
    write_side_by_side([monday, tuesday], tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().count(SCORES["standing"]) == 1


def test_runs_of_one_name_are_told_apart(make_run, tmp_path):
    monday = make_run("monday")
    shutil.copytree(monday, tmp_path / "kept" / "monday")
    write_side_by_side([monday, tmp_path / "kept" / "monday"], tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert '<th scope="row">runs/monday' in html
    assert '<th scope="row">kept/monday' in html
    assert "<p>None.</p>" in html


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["runs/monday"], "name at least two runs, each once (1 given, 1 different)"),
        (
            ["runs/monday", "runs/latest"],
            "name at least two runs, each once (2 given, 1 different)",
        ),
        (["runs/monday", "nowhere"], "nowhere is no finished run"),
        (["runs/monday", "runs/old"], "runs/old was made by an older version: its run.json has no"),
        (["runs/monday", "runs/cut"], "cannot read runs/cut/dcgan.gif: No such file"),
        (["runs/monday", "runs/bare"], "runs/bare/config.yaml: No such file"),
        (["runs/monday", "runs/good", "--out", "no/page.html"], "cannot write --out no/page.html"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_page(make_run, tmp_path, arguments, message):
    monday = make_run("monday")
    for name in ("old", "cut", "bare", "good"):
        shutil.copytree(monday, tmp_path / "runs" / name)
    old = read_json(monday / "run.json")
    del old["extractor"]
    write_json(tmp_path / "runs" / "old" / "run.json", old)
    (tmp_path / "runs" / "cut" / GIF).unlink()
    (tmp_path / "runs" / "bare" / "config.yaml").unlink()
    assert message in dcgan("compare", *arguments, cwd=tmp_path, code=2)
    assert {path.name for path in tmp_path.iterdir()} == {"artifacts", "runs"}


@pytest.mark.parametrize("kept", [0, 14, 18])
def test_a_picture_that_is_damaged_is_said_so(make_run, tmp_path, kept):
    monday, tuesday = make_run("monday"), make_run("tuesday")
    samples = tuesday / SAMPLES
    samples.write_bytes(samples.read_bytes()[:kept] + b"no picture" * 9)
    with pytest.raises(UsageError, match=r"tuesday/samples.png: it is damaged"):
        write_side_by_side([monday, tuesday], tmp_path / "page.html")


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_the_page_in_a_browser(browser, make_run, tmp_path, width, scheme):
    runs = [make_run("monday"), make_run("tuesday", "train.epochs=5", pictures="cats")]
    runs.append(make_run("wednesday", "train.base_width=64", kid=None))
    write_side_by_side(runs, tmp_path / "page.html")
    with opened(browser, tmp_path / "page.html", width, scheme) as page:
        assert_fits(page, width)
        assert_contrast(page)
        assert_tab_order(page)
        page.locator("summary").first.click()
        assert_fits(page, width)
        screenshot(page, tmp_path / "page.png", width)
