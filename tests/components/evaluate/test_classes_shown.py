"""Classes on the page of the pictures and in the report, whatever their names."""

import re
from html import unescape

import numpy as np
import pytest

from components.evaluate.class_names import unlike_classes
from components.evaluate.data_section import write_data_page
from components.shared.contracts import DATA
from components.shared.files import read_json
from tests.components.evaluate.html_page import Page
from tests.components.evaluate.scores import AWKWARD, BY_CLASS, SCORES

NAMES = ("fish", AWKWARD)
COLOURS = ("Mean level, red", "Green", "Blue")


def rows_of(html, caption):
    """Texts of the cells of the table that has this in its caption or heading."""
    table = html[html.index(caption) :].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows)
    return [[unescape(re.sub("<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


@pytest.fixture
def page_of(tmp_path):
    """The page of what `described` gave."""

    def page_of(records, validation):
        write_data_page(tmp_path / "page.html", records, validation)
        html = (tmp_path / "page.html").read_text()
        page = Page(html)
        page.assert_self_contained()
        page.assert_readable_without_seeing(charts=5)
        assert "<b>" not in html
        return html

    return page_of


def levels(pictures, labels, label):
    """Mean red, green and blue of the pictures of a class to train on, the second half."""
    half = len(labels) // 2
    return pictures[half:][np.array(labels[half:]) == label].mean(axis=(0, 1, 2))


def test_the_page_counts_the_pictures_of_each_class(described, faces, page_of):
    labels = [0] * 10 + [1] * 54 + [0] * 20 + [1] * 44
    _, records, validation = described("new", faces, labels=labels, names=NAMES)
    assert read_json(validation / DATA)["classes"] == [
        {"name": "fish", "train": 20, "eval": 10, "rejected": 0},
        {"name": AWKWARD, "train": 44, "eval": 54, "rejected": 1},
    ]
    html = page_of(records, validation)
    assert rows_of(html, "Classes</caption>") == [
        [*["Class", "To train on", "Share", "Held out", "Rejected"], *COLOURS],
        [AWKWARD, "44", "68.8 %", "54", "1", *(f"{x:.1f}" for x in levels(faces, labels, 1))],
        ["fish", "20", "31.2 %", "10", "0", *(f"{x:.1f}" for x in levels(faces, labels, 0))],
    ]  # the largest first
    colour = " ".join(f"{round(level)}" for level in levels(faces, labels, 1))
    assert f'style="--colour: rgb({colour})"' in html


def test_without_classes_the_page_speaks_of_none(described, faces, page_of):
    _, records, validation = described("new", faces)
    assert read_json(validation / DATA)["classes"] == []
    assert "lass</th>" not in page_of(records, validation)


def test_the_page_says_how_each_class_grew(published, described, faces, page_of):
    names = ("cats", *NAMES)
    published(faces, labels=[0, 1, 2, 1] * 32, names=names)
    labels = [1] * 60 + [2] * 4 + [2] * 40 + [0] * 16 + [1] * 8
    drift, records, validation = described("new", faces[::-1], labels=labels, names=names)
    assert drift.kid is not None
    assert drift.published["classes"] == [
        {"name": "cats", "train": 16}, {"name": "fish", "train": 32}, {"name": AWKWARD, "train": 16}
    ]  # fmt: skip
    rows = rows_of(page_of(records, validation), "Classes (change since version 3)</caption>")
    assert [row[:5] for row in rows[1:]] == [
        [AWKWARD, "40", "62.5 % (+37.5)", "4", "2"],
        ["cats", "16", "25.0 % (+0.0)", "0", "0"],
        ["fish", "8", "12.5 % (-37.5)", "60", "1"],
    ]
    now = levels(faces[::-1], labels, 1)
    before = levels(faces, [0, 1, 2, 1] * 32, 1)
    assert rows[3][5:] == [f"{a:.1f} ({a - b:+.1f})" for a, b in zip(now, before, strict=True)]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("birds", "cats"), f"other classes than @, new: birds, cats, gone: {AWKWARD}, fish"),
        (NAMES[::-1], "@ classes in another order"),
        ((), "pictures without classes, where @ have some"),
    ],
    ids=["others", "order", "none"],
)
def test_other_classes_are_said_before_the_training(
    published, described, faces, page_of, names, said
):
    published(faces, labels=[0, 1] * 64, names=NAMES)
    labels = [0, 1] * 64 if names else ()
    drift, records, validation = described("new", faces[::-1], labels=labels, names=names)
    said = said.replace("@", "version 3's")
    assert drift.sentence == f"{said}: only another export.model_name can be published"
    assert drift.kid is None
    html = page_of(records, validation)
    assert drift.sentence[1:] in unescape(html)
    if "birds" in names:
        rows = rows_of(html, "Classes (change since version 3)</caption>")[1:]
        assert {row[0] for row in rows} == {"birds (new)", "cats (new)"}


def test_only_a_few_of_many_names_are_said():
    before, now = [f"{n:02d}" for n in range(20)], [f"{n:02d}" for n in range(3, 24)]
    assert unlike_classes(before, now, 7) == (
        "other classes than version 7's, new: 20, 21, 22, 23, gone: 00, 01, 02"
    )
    assert unlike_classes([], now, 7) == "pictures of classes, where version 7's have none"
    others = unlike_classes(["a"], [*now, "two\nlines"], 7)
    assert others.endswith("new: 03, 04, 05, 06, 07 and 17 more, gone: a")
    assert unlike_classes(before, [*before], 7) is None


def test_the_report_has_a_row_for_each_class(write_page):
    html = write_page(SCORES | {"by_class": BY_CLASS}).read_text()
    page = Page(html)
    page.assert_self_contained()
    page.assert_readable_without_seeing(charts=2 + 5)
    assert "<b>" not in html
    assert rows_of(html, '<h2 id="classes">')[1:] == [
        [AWKWARD, "62.5 %", "1,200", "0.0251 ± 0.0040", "75 %", "95 %"],
        ["birds", "25.0 %", "20", "too few held out", "50 %", "85 %"],
        ["fish", "12.5 %", "0", "too few held out", "25 %", "–"],
    ]
    text = unescape(html)
    assert "50% of the samples of a class look most like pictures of it." in text
    assert "80 samples of each class were scored." in text
    assert f"by class, from the top: {AWKWARD}, birds, fish; the same random inputs" in text
    assert f"A row a class, from the top: {AWKWARD}, birds, fish;" in text
    assert 'id="classes"' not in write_page().read_text()


def test_of_many_classes_the_report_says_which_it_shows(write_page):
    rows = [{**BY_CLASS["classes"][1], "name": f"no. {number}"} for number in range(40)]
    text = unescape(
        write_page(SCORES | {"by_class": BY_CLASS | {"all": 5000, "classes": rows}}).read_text()
    )
    assert "by class (the largest), from the top: no. 0, no. 1, no. 2, no. 3, no. 4, no. 5" in text
    assert "no. 7; the same random inputs" in text
    assert "were scored, of the 40 largest of 5,000 classes." in text
