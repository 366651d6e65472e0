import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from components.evaluate import report as report_module
from components.evaluate.config import EvaluateConfig
from components.evaluate.report import write_report
from components.shared.contracts import CONTACT_SHEET, METRICS, REJECTED
from components.shared.pictures import grid

ROW = {
    "kid": 0.3124,
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
    "floor": {"images": 1000, **ROW, "kid": -0.0002},
    "best": {"epoch": 160, **ROW},
    "blessed": True,
    "blessed_reason": "KID 0.3124 is at most 0.5 and coverage 0.41 at least 0",
    "config": EvaluateConfig().model_dump(mode="json"),
}
_VOID = {"meta", "img", "br", "link", "hr", "input", "source"}


class _Page(HTMLParser):
    """Tags with their attributes, and whether they are closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def write_page(make_inputs, faces, tmp_path):
    """Write the page of a made-up evaluation; returns its HTML."""
    inputs = make_inputs()
    samples = io.BytesIO()
    Image.fromarray(grid(faces[:64], 8)).save(samples, "PNG")

    def write(scores: dict[str, Any] = SCORES, without: tuple[Path, ...] = ()) -> str:
        for path in without:
            (inputs.records / path).unlink(missing_ok=True)
            (inputs.training / path).unlink(missing_ok=True)
        path = tmp_path / "report.html"
        write_report(path, scores=scores, **inputs._asdict(), samples_png=samples.getvalue())
        return path.read_text()

    return write


@pytest.fixture
def html(write_page):
    return write_page()


def test_the_page_asks_the_net_for_nothing(html):
    page = _Page(html)
    assert page.open == []
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("data:image/", "#"))
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert "@import" not in html
    assert set(re.findall(r"url\((.)", html)) <= {"#"}
    assert len(html) < 3_000_000


def test_the_page_can_be_read_without_seeing_it(html):
    page = _Page(html)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    labels = [a["aria-labelledby"] for _, a in page.tags if "aria-labelledby" in a]
    assert set(labels) <= set(ids)
    assert all(image["alt"] for image in page.all("img"))
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    charts = [a for _, a in page.tags if a.get("role") == "img"]
    assert [bool(chart["aria-label"]) for chart in charts] == [True, True]


def test_the_page_shows_scores_samples_and_data(html):
    page = _Page(html)
    for words in ("0.3124", "-0.0002", "KID 0.3124 is at most 0.5", "Blessed."):
        assert words in html
    assert re.search(r'<tr class="best">\s*<th scope="row">160', html)
    assert html.count('<span class="mark">best</span>') == 1
    assert len(page.all("img")) == 1 + 12 + 1  # samples; 31 sheets thinned to 12; contact sheet
    assert "Before training" in html
    assert "Epoch 30" in html
    assert re.search(r"truncated</th><td>2</td>", html)


def test_a_score_that_is_not_finite_is_a_dash(write_page):
    nothing = dict.fromkeys(ROW)
    snapshots = [{"epoch": 160, **nothing}]
    bad = SCORES | {"snapshots": snapshots, "best": snapshots[0], "blessed": False}
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
    html = write_page(without=(Path(CONTACT_SHEET), Path(REJECTED), Path(METRICS)))
    assert "Contact sheet" not in html
    assert "Why files were rejected" not in html
    assert "loss over" not in html


@pytest.mark.parametrize("side", [64, 256])
def test_a_picture_is_embedded_as_it_is_where_it_is_small_enough(side):
    noise = np.random.default_rng(0).integers(0, 256, (64, side, side, 3), np.uint8)
    png = io.BytesIO()
    Image.fromarray(grid(noise, 8)).save(png, "PNG")
    picture = report_module._embed(png.getvalue(), widest=1200)
    if side == 64:
        assert (
            base64.b64decode(picture.uri.removeprefix("data:image/png;base64,")) == png.getvalue()
        )
    else:
        assert picture.uri.startswith("data:image/webp;base64,")
        assert (picture.width, picture.height) == (1200, 1200)
