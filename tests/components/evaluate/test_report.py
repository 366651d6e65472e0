import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.evaluate.config import EvaluateConfig
from components.evaluate.page import embed
from components.evaluate.report import write_report
from components.evaluate.validate import validate
from components.shared.contracts import CONTACT_SHEET, METRICS, SAMPLES
from components.shared.contracts import SCORES as SCORES_FILE
from components.shared.files import write_json
from components.shared.pictures import grid, save_png
from tests.components.evaluate.html_page import Page

ROW = {
    "kid": 0.3124,
    "kid_interval": 0.0213,
    "frechet_infinity": 170.5,
    "frechet_distance": 180.5,
    "precision": 0.5,
    "recall": 0.25,
    "density": 0.4,
    "coverage": 0.41,
}
SCORES = {
    "extractor": {"name": "net", "sha256": "ab", "resize": "bicubic", "dtype": "float32"},
    "real_images": 1000,
    "generated_images": 1000,
    "snapshots": [{"epoch": 150, **ROW, "kid": 0.4}, {"epoch": 160, **ROW}],
    "controls": {
        "floor": {"images": 1000, **ROW, "kid": -0.0002, "sentence": "worse than real ones"},
        "blurred": {"images": 1000, **ROW, "kid": 0.1, "sentence": "worse than blurred ones"},
        "collapsed": {"images": 1000, **ROW, "kid": 0.05, "sentence": "worse than a few"},
    },
    "nearest": {"sentence": "none of 64 samples is near"},
    "smoothness": {"sentence": "pictures change step by step"},
    "best": {"epoch": 160, **ROW},
    "passed": True,
    "passed_reason": "KID 0.3124 is at most 0.5 and coverage 0.41 at least 0",
    "config": EvaluateConfig().model_dump(mode="json"),
}


@pytest.fixture
def write_page(make_inputs, make_transform_graph, faces, tmp_path):
    """Write the page of a made-up evaluation; returns its HTML."""
    inputs, validation = make_inputs(), tmp_path / "validation"
    validate(inputs.records, make_transform_graph(faces), tmp_path / "none", validation)
    evaluation = tmp_path / "evaluation"
    evaluation.mkdir()
    save_png(evaluation / SAMPLES, grid(faces[:64], 8))

    def write(scores: dict[str, Any] = SCORES, without: tuple[Path, ...] = ()) -> str:
        for path in without:
            (inputs.records / path).unlink(missing_ok=True)
            (inputs.training / path).unlink(missing_ok=True)
        write_json(evaluation / SCORES_FILE, scores)
        path = tmp_path / "report.html"
        verdict = {"blessed": scores["passed"], "reason": scores["passed_reason"]}
        write_json(tmp_path / "comparison", verdict)
        write_report(
            path, **inputs._asdict(), validation=validation, evaluation=evaluation,
            comparison=tmp_path / "comparison",
        )  # fmt: skip
        return path.read_text()

    return write


@pytest.fixture
def html(write_page):
    return write_page()


def test_the_page_asks_the_net_for_nothing(html):
    Page(html).assert_self_contained()


def test_the_page_can_be_read_without_seeing_it(html):
    Page(html).assert_readable_without_seeing(charts=2 + 5)


def test_the_page_shows_scores_samples_and_data(html):
    page = Page(html)
    for words in ("0.3124", "-0.0002", "KID 0.3124 is at most 0.5", "Blessed."):
        assert words in html
    assert re.search(r'<tr class="best">\s*<th scope="row">160', html)
    assert html.count('<span class="mark">best</span>') == 1
    assert len(page.all("img")) == 1 + 12 + 1  # samples; 31 sheets thinned to 12; contact sheet
    assert "Before training" in html
    assert "Epoch 30" in html
    assert re.search(r"truncated</th><td>2</td>", html)
    assert "No model is published yet." in html


def test_a_score_that_is_not_finite_is_a_dash(write_page):
    nothing = dict.fromkeys(ROW)
    snapshots = [{"epoch": 160, **nothing}]
    bad = SCORES | {"snapshots": snapshots, "best": snapshots[0], "passed": False}
    html = write_page(bad)
    assert "Not blessed." in html
    assert "<td>–</td>" in html
    assert "KID over epochs" not in html


def test_colours_of_the_charts_follow_the_page(html):
    assert "var(--first)" in html
    assert "currentColor" in html
    charts = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert not re.findall(r"(?:fill|stroke): #\w+", charts)


def test_a_value_of_the_configuration_is_text_and_not_html(html):
    assert "&lt;b&gt;color" in html
    assert "<b>color" not in html


def test_the_same_evaluation_gives_the_same_page(write_page):
    assert write_page() == write_page()


def test_what_is_not_there_is_left_out(write_page):
    html = write_page(without=(Path(CONTACT_SHEET), Path(METRICS)))
    assert "Contact sheet" not in html
    assert "loss over" not in html


@pytest.mark.parametrize("side", [64, 256])
def test_a_picture_is_embedded_as_it_is_where_it_is_small_enough(side):
    noise = np.random.default_rng(0).integers(0, 256, (64, side, side, 3), np.uint8)
    png = io.BytesIO()
    Image.fromarray(grid(noise, 8)).save(png, "PNG")
    picture = embed(png.getvalue(), widest=1200)
    if side == 64:
        assert (
            base64.b64decode(picture.uri.removeprefix("data:image/png;base64,")) == png.getvalue()
        )
    else:
        assert picture.uri.startswith("data:image/webp;base64,")
        assert (picture.width, picture.height) == (1200, 1200)
