"""The pictures held against those of a published model, in real folders."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest

from components.evaluate.config import EvaluateConfig
from components.evaluate.data_section import write_data_page
from components.evaluate.extractors.efficientnet_lite0 import DESCRIPTION
from components.evaluate.metrics.kid import kid
from components.evaluate.real_features import MOST, RealFeatures
from components.evaluate.validate import Drift, validate
from components.shared.contracts import DATA, DRIFT, MODEL_INFO, REAL_FEATURES
from components.shared.files import read_json, write_json
from tests.components.evaluate.extracting import extract_features
from tests.components.evaluate.html_page import Page

CONFIG = EvaluateConfig()
COUNTS = "64 pictures to train on, 64 held out, 0 duplicates, 3 rejected"


@pytest.fixture
def described(make_records, make_transform_graph, tmp_path):
    """Validate pictures, half of them held out; `name` stands for what the pictures are."""

    def described(name, pictures, bins=32):
        half = len(pictures) // 2
        records = make_records(name, eval=pictures[:half], train=pictures[half:])
        graph = make_transform_graph(pictures[half:], bins)
        drift = validate(records, graph, tmp_path / "home", tmp_path / f"{name} validated", CONFIG)
        return drift, records, tmp_path / f"{name} validated"

    return described


@pytest.fixture
def published(described, tmp_path):
    """Publish a model that learned from these pictures, as version 3."""

    def published(pictures, bins=32):
        _, _, validation = described("old", pictures, bins)
        version = tmp_path / "home" / "3"
        version.mkdir(parents=True)
        write_json(version / MODEL_INFO, {"digest": "of its weights"})
        (version / DATA).write_bytes((validation / DATA).read_bytes())
        held_out = pictures[: len(pictures) // 2]
        features = RealFeatures.of(held_out, extract_features(held_out), DESCRIPTION)
        features.save(version / REAL_FEATURES)
        return version

    return published


@pytest.fixture
def noise(faces):
    """As many pictures as there are faces, and nothing like them."""
    return np.random.default_rng(0).integers(0, 256, faces.shape, np.uint8)


def npy():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


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
    expected = kid(*(extract_features(pictures[:64]) for pictures in (faces, noise))).value
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


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"digest": "x', b"\xff\xfe", b"[" * 10**5]
)
def test_a_damaged_description_is_said_so(published, described, faces, content):
    (published(faces) / DATA).write_bytes(content)
    drift, _, _ = described("new", faces)
    assert drift == Drift("not compared with version 3's: its data.json is damaged", 3)


def test_a_folder_for_a_description_is_said_so(published, described, faces):
    path = published(faces) / DATA
    path.unlink()
    path.mkdir()
    drift, _, _ = described("new", faces)
    assert drift.sentence == "not compared with version 3's: its data.json is damaged"


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["digest"], 1),
        (["digest"], None),
        (["image_size"], "64"),
        (["image_size"], 64.5),
        (["counts"], [1, 2]),
        (["counts", "train"], "64"),
        (["counts", "eval"], None),
        (["counts", "duplicate"], -1),
        (["counts", "rejected"], 10**400),
        (["sizes"], {}),
        (["sizes", "aspect"], None),
        (["sizes", "aspect", "edges"], ["1"]),
        (["sizes", "shorter_side", "counts"], [0.5]),
        (["statistics"], []),
        (["statistics", "mean"], [1.0, 2.0]),
        (["statistics", "mean", 0], float("nan")),
        (["statistics", "standard_deviation", 2], None),
        (["statistics", "histogram"], [[0.5, 0.5]]),
        (["statistics", "histogram", 1], 1),
        (["statistics", "histogram", 1, 0], float("inf")),
    ],
    ids=str,
)
def test_a_description_of_wrong_types_is_said_so(published, described, faces, noise, keys, value):
    path = published(faces) / DATA
    changed = data = read_json(path)
    for key in keys[:-1]:
        changed = changed[key]
    changed[keys[-1]] = value
    path.write_text(json.dumps(data))
    drift, _, _ = described("new", noise)
    assert drift == Drift("not compared with version 3's: its data.json is damaged", 3)


def test_what_is_missing_in_a_description_is_said_so(published, described, faces):
    path = published(faces) / DATA
    data = read_json(path)
    del data["statistics"]["mean"]
    write_json(path, data)
    drift, _, _ = described("new", faces)
    assert drift.sentence.endswith("its data.json is damaged")


def features_without(path, **changes):
    with np.load(path) as archive:
        arrays = {**archive, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: (path.unlink(), path.mkdir()), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: path.write_bytes(b"no zip"), "damaged"),
        (lambda path: path.write_bytes(b"PK\x05\x06" + bytes(18)), "damaged"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "damaged"),
        (lambda path: flip(path, at=100_000), "damaged"),
        (lambda path: flip(path, at=path.read_bytes().rindex(b"PK\x01\x02") + 8), "damaged"),
        (lambda path: path.write_bytes(npy()), "damaged"),
        (lambda path: features_without(path, values=None), "damaged"),
        (lambda path: features_without(path, digests=np.array("a")), "damaged"),
        (lambda path: features_without(path, digests=np.arange(64)), "damaged"),
        (lambda path: features_without(path, digests=np.array(["a"])), "damaged"),
        (lambda path: features_without(path, values=np.zeros(64, np.float32)), "damaged"),
        (lambda path: features_without(path, values=np.zeros([64, 1280])), "damaged"),
        (lambda path: features_without(path, values=np.array([["a"]] * 64)), "damaged"),
        (lambda path: features_without(path, values=np.zeros([64, 9], np.float32)), "damaged"),
        (
            lambda path: features_without(path, values=np.full([64, 1280], np.nan, np.float32)),
            "damaged",
        ),
    ],
    ids=[
        "gone", "folder", "empty", "no zip", "empty zip", "half", "a bit", "encrypted", "one array",
        "no values", "a digest", "numbers", "few", "a row", "float64", "words",
        "short", "not finite",
    ],
)  # fmt: skip
def test_damaged_features_are_said_so(published, described, faces, noise, damage, words):
    damage(published(faces) / REAL_FEATURES)
    drift, _, _ = described("new", noise)
    assert drift.sentence == f"other pictures; no KID with version 3's: its features are {words}"
    assert (drift.differs, drift.kid) == (None, None)
    assert drift.histogram_distance, "what the description holds is compared still"


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
        "32×32 pixels, where version 3's are 64×64: no KID between the two"
    )  # fmt: skip


def test_too_few_are_said_so(published, described, faces):
    published(faces[:2])
    drift, _, _ = described("new", faces)
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
