"""No published file, whatever it holds, ends validate in a traceback."""

import io
import json

import numpy as np
import pytest

from components.evaluate.validate import Drift
from components.shared.contracts import DATA, REAL_FEATURES
from components.shared.files import read_json, write_json


def npy():
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


def flip(path, at):
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


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
