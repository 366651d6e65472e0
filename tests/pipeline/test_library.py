"""`pipeline.run` and `pipeline.sample`, as a program or a notebook calls them."""

import os
import signal
import sys
import tarfile
import threading
from pathlib import Path

import pytest

import pipeline
from components.shared.errors import DataRefused, Interrupted, PipelineError, UsageError
from tests.broken_pictures import write_broken_pictures


def state_of_the_process():
    """What a run changes for its steps, and gives back."""
    handler = signal.getsignal(signal.SIGINT)
    return dict(os.environ), handler, sys.stdout, print


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, in which a run finds no pictures but a file that is none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.zip").write_text("no archive")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": "nowhere"}, "no such folder or file"),
        ({"images": "broken.zip"}, "broken.zip' is neither a folder nor a whole archive"),
        ({"images": Path("nowhere")}, "no such folder or file"),
        ({"images": [Path("broken.zip"), "nowhere"]}, "/nowhere"),
        ({"images": []}, "no pictures named"),
        ({"profile": "big"}, "choose one of demo, full, seed"),
        ({"config": "missing.yaml"}, "missing.yaml"),
        ({"settings": {"train.epoch": 5}}, "did you mean train.epochs?"),
        ({"settings": {"train.minutes": -1}}, "train.minutes (=-1): must be a number, ≥ 0"),
        ({"settings": {"train": {"batch_size": "x"}}}, "train.batch_size (='x'): must be"),
        ({"runs_dir": "python3/runs"}, "--runs-dir"),
        ({"publish_root": "ftp://x"}, "--publish-root ftp://x: no address in a bucket"),
        ({"publish_root": Path("broken.zip")}, "broken.zip: cannot write there"),
    ],
)
def test_what_cannot_end_well_is_refused_before_anything_runs(folder, arguments, message):
    with pytest.raises(UsageError) as refused:
        pipeline.run(**arguments)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2
    assert not list(folder.glob("runs/logs/*"))


def test_an_interrupt_and_another_run_after_it(folder, capsys):
    """The first in the main thread, the second outside of it, where it fails in a step."""
    before, others = state_of_the_process(), []

    def interrupt(step, message):
        print(f"{step}: {message}")
        with pytest.raises(UsageError, match="another run goes on in this process"):
            pipeline.run("nowhere")
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted) as interrupted:
        pipeline.run(runs_dir="first", progress=interrupt)
    assert interrupted.value.exit_code == 130
    assert state_of_the_process() == before
    assert capsys.readouterr().out == "fingerprint: faces_cc0_1000.zip: 1 files, 1 read\n"

    (folder / "notes.txt").write_text("no picture")
    with tarfile.open(folder / "notes.tar.gz", "w:gz") as archive:  # nothing but a step looks in
        archive.add(folder / "notes.txt", "notes.txt")

    def run_elsewhere():
        with pytest.raises(DataRefused) as refused:
            pipeline.run("notes.tar.gz", runs_dir=folder / "second", progress=None)
        others.append(refused.value)

    thread = threading.Thread(target=run_elsewhere)
    thread.start()
    thread.join()
    assert str(others[0]).startswith(f"ingest: no pictures in '{folder}/notes.tar.gz'")
    assert state_of_the_process() == before
    assert capsys.readouterr().out == ""
    for runs, said in (("first", "1 files, 1 read"), ("second", "notes.tar.gz")):
        (log,) = (folder / runs / "logs").iterdir()
        assert said in log.read_text()
        assert f"{folder}/{runs}/.steps" in log.read_text()


@pytest.mark.parametrize(
    "raised", [BrokenPipeError("gone"), UnicodeError("no such sign"), RuntimeError("enough")],
    ids=lambda raised: type(raised).__name__,
)  # fmt: skip
def test_what_progress_raises_ends_the_run(folder, raised):
    said = []

    def progress(step, message):
        said.append((step, message))
        raise raised

    write_broken_pictures(folder / "broken")
    with pytest.raises(PipelineError, match=f"{type(raised).__name__}: {raised}") as ended:
        pipeline.run("broken", progress=progress)
    assert ended.value.__cause__ is raised
    assert said == [("fingerprint", "broken: 60 files, 60 read")]


def test_a_latest_that_is_no_link_is_told_before_the_first_task(folder):
    (folder / "runs/latest").mkdir(parents=True)
    said = []

    def stop_at_the_first_task(step, message):
        said.append((step, message))
        if step != "run":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        pipeline.run(progress=stop_at_the_first_task)
    told = f"{folder}/runs/latest will not lead to this run: it is no link: rename or remove it"
    assert said[0] == ("run", told)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no model in runs/latest"),
        ({"model": Path("broken.zip")}, "no model in broken.zip"),
        ({"model": "x" * 300}, "File name too long"),
        ({"model": "x", "endpoint": "http://x"}, "give one of them"),
        ({"endpoint": "x"}, "--endpoint x is no address"),
        ({"count": 0}, "--count is 0: give a number from 1 to 10000"),
        ({"count": 10_001}, "--count is 10001"),
        ({"seed": -1}, "--seed is -1"),
        ({"seed": 2**31}, "--seed is 2147483648"),
        ({"truncation": 1.5}, "--truncation is 1.5"),
    ],
)
def test_what_cannot_be_drawn_is_refused(folder, arguments, message):
    with pytest.raises(UsageError) as refused:
        pipeline.sample(**arguments)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
