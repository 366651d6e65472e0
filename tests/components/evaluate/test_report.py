import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from components.evaluate.page import embed
from components.shared.contracts import CONTACT_SHEET, METRICS, TRAINING
from components.shared.files import read_json, write_json
from components.shared.pictures import grid
from tests.components.evaluate.html_page import Page
from tests.components.evaluate.scores import COMPARISON, ROW, SCORES


@pytest.fixture(scope="module")
def pages():
    """What was written once and is only looked at."""
    return {}


@pytest.fixture
def html(pages, request):
    if not pages:
        pages["as it is"] = request.getfixturevalue("write_page")().read_text()
    return pages["as it is"]


def test_the_page_asks_the_net_for_nothing(html):
    Page(html).assert_self_contained()


def test_the_page_can_be_read_without_seeing_it(html):
    Page(html).assert_readable_without_seeing(charts=2 + 5)


def test_the_page_shows_scores_samples_and_data(html):
    page = Page(html)
    for words in ("-0.0002", "KID 0.3124 is below 0.3501", "<strong>Blessed.</strong>", "171.4"):
        assert words in html
    assert "-0.000 " not in html, "no minus before nothing"
    assert re.search(r'<tr class="best">\s*<th scope="row">Epoch 160', html)
    assert html.count('<span class="mark">best</span>') == 2  # among scores, among snapshots
    assert '<td data-label="KID">0.3124 <span class="interval">± 0.0215</span></td>' in html
    pictures = len(page.all("img"))
    assert pictures == 2 + 40 + 1  # samples and nearest; 81 sheets, thinned; contact sheet
    assert "Before training" in html
    assert "Epoch 80" in html
    assert re.search(r"truncated</th><td>2</td>", html)
    assert "No model is published yet." in html


def test_each_snapshot_says_its_samples(html):
    text = " ".join(re.sub("<[^>]+>", " ", html[html.index("Snapshots</h2>") :]).split())
    assert "by pictures of the training: 2 snapshots by 250 samples each." in text
    assert "Epoch 150 250 0.4000 ± 0.0400 Epoch 160 best 250 0.3200 ± 0.0500" in text


def test_controls_stand_below_the_best_each_with_its_sentence(html):
    rows = re.findall(r'<th scope="row">([A-Z]\w+(?: \d+)?)', html[: html.index("Snapshots</h2>")])
    assert rows == ["Epoch 160", "Version 3", "Floor", "Blurred", "Collapsed"]
    for words in (
        "<dt>Floor</dt><dd>They are worse than real pictures.</dd>",
        "<dt>Blurred</dt><dd>They are worse than blurred ones.</dd>",
        "<dt>Collapsed</dt><dd>They are better than a few.</dd>",
        "None is a copy.",
        "Small steps give small changes.",
    ):
        assert words in html


def test_the_first_line_says_where_the_samples_stand(html):
    first = '<p class="standing">KID 0.312 ± 0.022: better than few, worse than blurred ones.</p>'
    assert re.search(r"</h1>\s*" + re.escape(first), html)


@pytest.mark.parametrize(
    ("max_kid", "limit", "label", "words"),
    [
        (0.5, 0.5, "limit", "At or below the limit a model may be"),
        (
            "blurred", 0.21, "limit: blurred",
            "At or below the limit, the KID of real pictures blurred by 1 px, a model may be",
        ),
    ],
)  # fmt: skip
def test_the_limit_is_drawn_and_named(write_page, max_kid, limit, label, words):
    config = SCORES["config"] | {"max_kid": max_kid}
    html = write_page(SCORES | {"config": config, "kid_limit": limit}).read_text()
    assert f">{label}</text>" in html
    assert words in html


@pytest.mark.parametrize(
    ("difference", "interval", "words"),
    [
        (-0.0377, 0.0123, r"0\.0377 <.*>± 0\.0123</span> below that of version 3, .* published\."),
        (0.0377, 0.0123, r"± 0\.0123</span> above that of version 3, which is published\."),
        (-0.0377, 0.05, r"below that of version 3, .* published: no more than chance may give\."),
    ],
)
def test_the_difference_to_the_published_model_is_a_sentence(
    write_page, difference, interval, words
):
    change = {"difference": difference, "difference_interval": interval}
    html = write_page(comparison=COMPARISON | change).read_text()
    assert re.search(words, html)
    row = (
        r"published</span></th>\s*<td data-label=.KID.>0.3501</td>(\s*<td [^>]*>–</td>){6}\s*</tr>"
    )
    assert re.search(row, html)


@pytest.mark.parametrize(("name", "apart"), [("efficientnet_lite0", 1), ("inception_v3_fid", 0)])
def test_only_the_network_of_published_fids_is_not_set_apart_from_them(write_page, name, apart):
    scores = SCORES | {"extractor": SCORES["extractor"] | {"name": name}}
    html = write_page(scores).read_text()
    assert html.count("in the same numbers; not with a published FID or KID.") == apart
    assert html.count("in the same numbers.") == 1 - apart


def test_without_a_published_model_none_is_spoken_of(write_page):
    nothing = {key: None for key in COMPARISON if "champion" in key or "difference" in key}
    html = write_page(comparison=COMPARISON | nothing | {"blessed": False}).read_text()
    assert "<strong>Not blessed.</strong>" in html
    assert "<title>Not blessed" in html
    assert "Version 3" not in html
    assert "which is published" not in html


def test_a_score_that_is_not_finite_is_a_dash(write_page):
    nothing = dict.fromkeys(ROW)
    snapshots = [{"epoch": 160, "samples": 250, "kid": None, "kid_interval": None}]
    controls = {name: control | nothing for name, control in SCORES["controls"].items()}
    page = write_page(
        SCORES
        | {"snapshots": snapshots, "best": {"epoch": 160, **nothing}, "controls": controls}
        | {"nearest": None, "smoothness": None},
        COMPARISON | {"kid": None, "difference": None, "difference_interval": None},
    )
    assert page.read_text().count(">–</td>") == 4 * 7 + 6 + 1
    assert "KID over epochs" not in page.read_text()


def test_only_the_floor_or_an_interval_may_be_missing(write_page):
    floor = SCORES["controls"]["floor"] | {"kid": None}
    best = SCORES["best"] | {"kid_interval": None}
    html = write_page(
        SCORES | {"best": best, "snapshots": [], "controls": SCORES["controls"] | {"floor": floor}}
    ).read_text()
    assert "KID over epochs" in html
    assert ">floor</text>" not in html
    assert ">0.3124</td>" in html


def test_colours_of_the_charts_follow_the_page(html):
    assert "var(--first)" in html
    assert "currentColor" in html
    charts = "".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert not re.findall(r"(?:fill|stroke): #\w+", charts)


def test_a_value_of_the_configuration_is_text_and_not_html(html):
    assert "&lt;b&gt;color" in html
    assert "<b>color" not in html


def test_the_page_names_what_the_model_descends_from(write_page, tmp_path):
    assert "Descends from" not in write_page().read_text()
    origin = {"source": "base", "digest": None, "attribution": ["drawings", "CC BY 4.0"]}
    training = tmp_path / "training" / TRAINING
    write_json(training, read_json(training) | {"descends_from": origin})
    html = write_page().read_text()
    assert "<dt>Descends from</dt><dd>base (drawings; CC BY 4.0)</dd>" in html


def test_the_same_evaluation_gives_the_same_page(write_page):
    assert write_page().read_text() == write_page().read_text()


def test_what_is_not_there_is_left_out(write_page):
    html = write_page(without=(CONTACT_SHEET, METRICS, "nearest.png")).read_text()
    assert "Grid of pictures generated" in html
    assert "Grid of the training pictures" not in html
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
