"""Folders as classes, from the pictures to those that the published model draws of a class."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.shared.contracts import SCORES_FILE

pytestmark = pytest.mark.e2e
TINY = Path(__file__).with_name("tiny.yaml")
SORT = Path(__file__).parents[2] / "docs/by_hair.py"
COLOURS = ["black", "blond", "blue", "brown", "green", "pink", "red", "violet", "white"]


def command(workspace, *words, code=0):
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=workspace, env=os.environ | {"COLUMNS": "80"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """The demo's faces in folders, and a finished run on some of them."""
    folder = tmp_path_factory.mktemp("workspace")
    command(folder, SORT, "hair")
    run(folder)
    return folder


def run(workspace, *more, code=0):
    settings = ("ingest.labels=folders", "ingest.max_images=270")
    return command(
        workspace, "-m", "pipeline", "run", "--images", "hair", "--config", TINY,
        *(part for value in settings for part in ("--set", value)), *more, code=code,
    )  # fmt: skip


def pictures(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file).convert("RGB"))


def test_the_script_sorts_every_face(workspace):
    assert sorted(path.name for path in (workspace / "hair").iterdir()) == COLOURS
    assert sum(path.is_file() for path in (workspace / "hair").rglob("*")) == 1000


def test_the_run_knows_its_classes(workspace):
    latest = workspace / "runs/latest"
    assert json.loads((latest / "model.json").read_text())["classes"] == COLOURS
    artifacts = json.loads((latest / "run.json").read_text())["artifacts"]
    by_class = json.loads(Path(artifacts["evaluation"], SCORES_FILE).read_text())["by_class"]
    assert sorted(row["name"] for row in by_class["classes"]) == COLOURS
    assert by_class["sentence"] in (latest / "report.html").read_text().replace("&#39;", "'")
    assert len(pictures(latest / "samples.png")) >= 8 * 32
    assert "| blue |" in (latest / "MODEL_CARD.md").read_text()


def test_a_class_is_drawn_by_its_name(workspace):
    sample = ("-m", "pipeline", "sample", "--count", 4, "--class")
    for name, out in (("blue", "one.png"), ("blue", "again.png"), ("red", "other.png")):
        command(workspace, *sample, name, "--out", out)
    one, again, other = (pictures(workspace / f"{n}.png") for n in ("one", "again", "other"))
    assert (one == again).all()
    assert (one != other).any()


def test_other_classes_are_another_model(workspace):
    (workspace / "hair/violet").rename(workspace / "hair/purple")
    text = " ".join(run(workspace).split())
    assert "other classes than version 1's, new: purple, gone: violet" in text
    assert "set export.model_name" in text
    assert json.loads((workspace / "runs/latest/run.json").read_text())["blessed"] is False
