"""The whole DAG in shells as some people have them: the results are those of any other."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.results import RUN, read_run

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
TINY = Path(__file__).with_name("tiny.yaml")
# A file system without symbolic links.
NO_LINKS = """
import errno, os
def symlink(*_, **__):
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")
os.symlink = symlink
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures, in a folder whose name is not ASCII, as theirs."""
    folder = tmp_path_factory.mktemp("shells") / "José ☃"
    (folder / "faces").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for index in range(60):
        corners = generator.integers(0, 256, (3, 3, 3), np.uint8)
        picture = Image.fromarray(corners).resize((40, 40), Image.Resampling.BICUBIC)
        picture.save(folder / f"faces/é{index}.png")
    return folder


def run(folder, stdout=subprocess.PIPE, encoding="utf-8", **variables):
    """Run it there with these variables; gives what it said and the folder of the new run."""
    before = set(folder.glob(f"runs/2*/{RUN}"))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "--images", "faces", "--config", str(TINY),
         "--set", "export.licence=© José #2".encode(encoding)],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        stdout=stdout, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    (summary,) = set(folder.glob(f"runs/2*/{RUN}")) - before
    return done.stdout, summary.parent


def test_a_narrow_one_in_latin_1_beside_a_copy_of_latest(folder, latin_1):
    (folder / "runs/latest").mkdir(parents=True)
    said, results = run(folder, encoding="latin-1", COLUMNS="12", **latin_1)
    words = " ".join(said.decode("latin-1").split())
    latest = f"{results.parent}/latest".replace("☃", "?")
    assert words.startswith(f"run {latest} will not lead to this run: it is no link: rename or")
    assert f" run {latest} does not lead to " in words
    assert f"report runs/{results.name}/report.html" in words
    assert "±" in words, "which Latin-1 has"
    assert read_run(results, ()).report.exists()
    assert "© José #2" in (results / "MODEL_CARD.md").read_text(encoding="utf-8")
    log = (folder / f"runs/logs/{results.name}.log").read_text(encoding="utf-8")
    assert "[publish] done in" in log
    assert "Traceback" not in log
    assert "José ☃" in log
    assert "�" not in log


def test_one_that_nobody_reads_where_nothing_can_be_a_link(folder):
    (folder / "runs/latest").rmdir()
    (folder / "sitecustomize.py").write_text(NO_LINKS)
    reader, writer = os.pipe()
    os.close(reader)
    try:
        _, results = run(folder, writer, COLUMNS="0", PYTHONPATH=f"{folder}:{ROOT}")
    finally:
        os.close(writer)
    assert read_run(results, ()).values["tasks"].keys() >= {"fingerprint", "publish"}
    assert not os.path.lexists(folder / "runs/latest")
