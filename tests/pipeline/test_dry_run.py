"""`dcgan run --dry-run` where no run was yet; tests/e2e has what it says of later ones."""

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.pipeline.test_cli import dcgan, save_pictures

# Those that take what ingest makes.
BECAUSE_OF_INGEST = ("transform", "validate", "train", "evaluate", "export", "compare", "report")


def listed(folder):
    return sorted(str(path) for path in folder.rglob("*"))


def test_before_the_first_run_all_would_run_and_nothing_is_left(tmp_path):
    save_pictures(tmp_path / "faces", 38)
    before = listed(tmp_path)
    options = ("--runs-dir", "deep/runs", "--publish-root", "far/away")
    text = dcgan("run", "--images", "faces", *options, "--dry-run", cwd=tmp_path)
    assert listed(tmp_path) == before
    assert max(map(len, text.splitlines())) <= 80
    said = dict(re.findall(r"^([a-z]+) +((?:runs|may run) .*?) *$", text, re.MULTILINE))
    assert said["ingest"].startswith("runs     not done yet with these settings, code and inputs")
    told = " ".join(text.split())
    assert "; it finds out how many of 38 files are sound pictures " in told
    assert "; it finds out whether enough are held out" in told
    for task in BECAUSE_OF_INGEST:
        assert said[task].startswith("runs     because of ingest"), task
    assert said["publish"] == "may run  if compare finds the model good enough"
    assert text.endswith("nothing was run\n")


def test_fewer_pictures_than_a_batch_are_refused_as_by_a_run(tmp_path):
    save_pictures(tmp_path / "faces", 20)
    chosen = ("run", "--images", "faces", "--set", "train.batch_size=30")
    said = dcgan(*chosen, "--dry-run", cwd=tmp_path, code=3)
    assert f"at most 20 pictures in '{tmp_path}/faces', and this run needs 66: 60 to" in said
    assert said == dcgan(*chosen, cwd=tmp_path, code=3)


def test_files_that_cannot_be_used_are_told_and_refused_as_by_a_run(tmp_path):
    save_pictures(tmp_path / "faces", 40)
    lines = sorted(f"{path}\n" for path in (tmp_path / "faces").iterdir())
    (tmp_path / "list").write_text("".join([*lines, "fases\n"]))
    said = " ".join(dcgan("run", "--images", "@list", "--dry-run", cwd=tmp_path).split())
    assert "it finds out how many of 40 files are sound pictures (1 that cannot be used, " in said
    assert "such as 'fases' (nothing at 'fases' (line 41 of list)))" in said
    (tmp_path / "list").write_text("".join([*lines, "x1.png\n", "x2.png\n", "x3.png\n"]))
    said = dcgan("run", "--images", "@list", "--dry-run", cwd=tmp_path, code=3)
    assert said.startswith("error: ingest: 3 of 43 pictures in '@")
    assert dcgan("run", "--images", "@list", cwd=tmp_path, code=3).endswith(said)


def test_of_what_costs_as_much_to_list_as_to_read_the_run_itself_finds_out(tmp_path):
    save_pictures(tmp_path / "faces", 2)
    with tarfile.open(tmp_path / "faces.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "faces")
    said = dcgan("run", "--images", "faces.tar.gz", "--dry-run", cwd=tmp_path)
    assert "it finds out how many pictures there are" in " ".join(said.split())


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch], ids=["folder", "file"])
def test_a_latest_that_is_no_link_is_told_as_by_a_run(tmp_path, make):
    (tmp_path / "runs").mkdir()
    make(tmp_path / "runs/latest")
    said = " ".join(dcgan("run", "--dry-run", cwd=tmp_path).split())
    latest = f"{tmp_path}/runs/latest"
    assert said.startswith(f"run {latest} will not lead to this run: it is no link: rename or")


def test_folders_that_were_there_stay(tmp_path):
    (tmp_path / "runs").mkdir()
    dcgan("run", "--dry-run", cwd=tmp_path)
    assert listed(tmp_path) == [str(tmp_path / "runs")]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--images", "nowhere"], 2),
        (["--images", "@list"], 2),
        (["--config", "~/nowhere.yaml"], 2),
        (["--set", "train.epoch=5"], 2),
        (["--set", "train.warm_start=nowhere"], 2),
        (["--publish-root", "/proc/published"], 2),
        (["--runs-dir", "list/runs"], 2),
        (["--runner", "docker"], 2),
    ],
)
def test_a_refusal_is_that_of_a_run(tmp_path, arguments, code, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    (tmp_path / "list").write_text("http://x/y\n")
    said = dcgan("run", *arguments, "--dry-run", cwd=tmp_path, code=code)
    assert listed(tmp_path) == [str(tmp_path / "list")]
    assert said == dcgan("run", *arguments, cwd=tmp_path, code=code)


def test_tensorflow_and_beam_are_not_imported():
    code = (
        "import sys; from pathlib import Path\n"
        "from pipeline.config import load_config; from pipeline.dry_run import foresee\n"
        "foresee(load_config('demo'), Path('/tmp/nowhere/runs'), '/tmp/nowhere/p', print)\n"
        "print(*{'tensorflow', 'apache_beam', 'keras'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
