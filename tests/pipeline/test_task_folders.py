"""Folders of the tasks' outputs: what is kept of runs that ended, and of those that were killed."""

import os
import signal
import subprocess
import sys

import pytest

from pipeline.task_folders import task_folders


def finish(folder, task):
    (folder / "pipeline" / task).mkdir(parents=True)
    (folder / "pipeline" / task / "executor_output.json").touch()


@pytest.fixture
def names(tmp_path):
    return lambda: sorted(path.name for path in tmp_path.iterdir())


def test_what_a_task_made_is_kept_and_what_it_began_is_not(tmp_path, names):
    with task_folders(tmp_path, "a") as folder:
        finish(folder, "ingest")
        (folder / "pipeline/train").mkdir()
    assert names() == ["a"]
    assert [path.name for path in folder.glob("*/*")] == ["ingest"]


def test_nothing_is_left_of_a_run_that_made_nothing(tmp_path, names):
    with task_folders(tmp_path, "a"):
        pass
    with task_folders(tmp_path, "b") as folder:
        (folder / "pipeline/ingest").mkdir(parents=True)
    assert names() == []


def test_one_that_was_killed_is_swept_away_and_one_that_lives_is_not(tmp_path, names):
    code = (
        "import sys, time; from pathlib import Path\n"
        "from pipeline.task_folders import task_folders\n"
        "with task_folders(Path(sys.argv[1]), sys.argv[2]):\n"
        "    print(flush=True); time.sleep(60)"
    )
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path, name], stdout=subprocess.PIPE, text=True
        )
        for name in ("dead", "living")
    ]
    for run in runs:
        run.stdout.readline()
    os.kill(runs[0].pid, signal.SIGKILL)
    runs[0].communicate()
    with task_folders(tmp_path, "next"):
        assert names() == ["living", "next"]
    runs[1].kill()
    runs[1].communicate()
