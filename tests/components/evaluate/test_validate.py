"""The pictures held against those of a published model, in real folders."""

import subprocess
import sys

import numpy as np
import pytest

from components.evaluate.config import EvaluateConfig
from components.evaluate.data_section import write_data_page
from components.evaluate.real_features import MOST, RealFeatures
from components.evaluate.validate import Drift
from components.metrics.efficientnet_lite0 import DESCRIPTION
from components.metrics.kid import kid
from components.shared.contracts import DATA, DRIFT, REAL_FEATURES
from components.shared.files import read_json
from tests.components.evaluate.extracting import extract_features
from tests.components.evaluate.html_page import Page
from tests.components.metrics.held import held

CONFIG = EvaluateConfig()
COUNTS = "64 pictures to train on, 64 held out, 0 duplicates, 3 rejected"


def test_without_a_published_model_it_says_so(described, faces, caplog):
    caplog.set_level("INFO", logger="dcgan.validate")
    drift, _, validation = described("new", faces)
    assert drift == Drift("no model is published yet")
    assert read_json(validation / DRIFT) == drift._asdict()
    assert caplog.messages == [COUNTS, "no model is published yet"]
    data = read_json(validation / DATA)
    assert (data["digest"], data["image_size"], data["counts"]["train"]) == ("new", 64, 64)
    assert data["rejected_by_reason"] == {"empty": 1, "truncated": 2}
    assert len(data["statistics"]["histogram"]) == 3


def test_the_same_pictures_are_said_so_without_tensorflow(published, described, faces, tmp_path):
    published(faces)
    code = (
        "import sys; from pathlib import Path\n"
        "from components.evaluate.config import EvaluateConfig\n"
        "from components.evaluate.validate import validate\n"
        "from components.evaluate.data_section import write_data_page\n"
        "from components.evaluate.report import write_report\n"
        f"root = Path({str(tmp_path)!r}); out = root / 'out'\n"
        "validate(root / 'old', root / 'transform_graph', root / 'home', out, EvaluateConfig())\n"
        "write_data_page(root / 'page.html', root / 'old', out)\n"
        "assert not {'tensorflow', 'keras'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    drift = read_json(tmp_path / "out" / DRIFT)
    assert drift["sentence"] == "the same pictures as version 3's"
    assert drift["differs"] is False
    assert drift["published"] is None
    assert "The same pictures as version 3&#39;s." in (tmp_path / "page.html").read_text()


def test_pictures_that_differ_are_said_so(published, described, faces, noise, caplog):
    caplog.set_level("INFO", logger="dcgan.validate")
    version = published(faces)
    drift, _, _ = described("new", noise)
    assert drift.differs is True
    expected = kid(held(*(extract_features(pictures[:64]) for pictures in (faces, noise)))).value
    assert drift.kid == pytest.approx(expected)
    assert drift.kid > 2 * drift.chance
    assert drift.images == (64, 64)
    assert drift.extractor == DESCRIPTION
    assert drift.sentence == (
        f"other pictures, unlike version 3's: KID {drift.kid:.4f}, chance up to {drift.chance:.4f}"
    )
    assert caplog.messages[-2:] == [COUNTS, drift.sentence]
    assert len(f"[validate] {drift.sentence}") <= 80
    published_data = read_json(version / DATA)
    assert drift.published["counts"].items() <= published_data["counts"].items()
    for key in ("digest", "image_size", "sizes"):
        assert drift.published[key] == published_data[key]
    for key in ("mean", "standard_deviation", "histogram"):
        assert drift.published["statistics"][key] == published_data["statistics"][key]
    assert all(0.1 < distance <= 1 for distance in drift.histogram_distance)


def test_other_pictures_of_the_same_kind_are_no_drift(published, described, faces):
    published(faces[:64])
    drift, _, _ = described("new", faces[64:])
    assert drift.differs is False
    assert drift.kid <= drift.chance
    assert drift.sentence.startswith("other pictures, but like version 3's: KID ")


@pytest.mark.parametrize("change", ["removed", "added"])
def test_pictures_of_the_same_kind_that_come_or_go_are_no_drift(
    published, described, faces, change
):
    old, new = (faces[:48], faces[:80]) if change == "added" else (faces[:80], faces[:48])
    published(old)
    drift, _, _ = described("new", new)
    assert drift.differs is False
    assert drift.images == (len(old) // 2, len(new) // 2)


def test_others_among_the_same_pictures_are_seen(published, described, faces, noise):
    published(faces)
    mixed = faces.copy()
    mixed[:24] = noise[:24]  # of 64 that are held out
    drift, _, _ = described("new", mixed)
    assert drift.differs is True


def test_a_version_without_a_description_is_said_so(published, described, faces):
    (published(faces) / DATA).unlink()
    drift, _, _ = described("new", faces)
    assert drift.sentence == "version 3 was published without data.json: nothing to compare"
    assert (drift.version, drift.differs) == (3, None)


def test_a_version_holds_no_more_features_than_are_compared(tmp_path):
    pictures = np.zeros([MOST + 1, 2, 2, 3], np.uint8)
    RealFeatures.of(pictures, np.zeros([MOST + 1, 3], np.float32), {}).save(tmp_path / "f.npz")
    assert RealFeatures.load(tmp_path / "f.npz").values.shape == (MOST, 3)


@pytest.mark.parametrize("extractor", [DESCRIPTION | {"resize": "none"}, [], None, "x"], ids=str)
def test_features_of_another_network_are_said_so(published, described, faces, noise, extractor):
    path = published(faces) / REAL_FEATURES
    RealFeatures.load(path)._replace(extractor=extractor).save(path)
    drift, _, _ = described("new", noise)
    assert drift.sentence == "other pictures; no KID with version 3's: its extractor is another"
    assert drift.kid is None


def test_another_size_is_said_so(published, described, faces):
    published(faces)
    drift, _, _ = described("new", faces[:, ::2, ::2])
    assert drift.sentence == (
        "32×32 pixels, where version 3's are 64×64: no KID between the two, and only another "
        "export.model_name can be published"
    )


def test_too_few_are_said_so(published, described, faces):
    path = published(faces) / REAL_FEATURES
    features = RealFeatures.load(path)
    features._replace(digests=features.digests[:1], values=features.values[:1]).save(path)
    drift, _, _ = described("new", faces[:64])
    assert drift.sentence.endswith("no KID with version 3's: too few are held out")


def test_histograms_of_other_bins_are_not_compared(published, described, faces, noise, tmp_path):
    published(faces, bins=16)
    drift, records, validation = described("new", noise)
    assert drift.histogram_distance is None
    write_data_page(tmp_path / "page.html", records, validation)
    assert ">Moved<" not in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("drifted", [True, False])
def test_the_page_shows_what_changed(published, described, faces, noise, tmp_path, drifted):
    if drifted:
        published(faces)
    drift, records, validation = described("new", noise)
    write_data_page(tmp_path / "page.html", records, validation)
    html = (tmp_path / "page.html").read_text()
    page = Page(html)
    page.assert_self_contained()
    page.assert_readable_without_seeing(charts=5)
    assert drift.sentence[1:].replace("'", "&#39;") in html
    assert ("What changed since version 3" in html) is drifted
    assert html.count("version 3</text>") == 5 * drifted, "an earlier line in each chart"
    assert "red: most, " in html
    if drifted:
        change = noise[64:, ..., 0].mean() - faces[64:, ..., 0].mean()
        assert f" ({change:+.1f})</td>" in html
    write_data_page(tmp_path / "again.html", records, validation)
    assert (tmp_path / "again.html").read_text() == html
