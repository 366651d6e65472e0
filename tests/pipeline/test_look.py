"""What is seen of a training in the files that it leaves, whole or not."""

import json
import os
import shutil
import time

import pytest

from components.shared.contracts import (
    KIDS,
    METRICS,
    SCORES_FILE,
    SHEETS,
    TRAINING_IDENTITY,
    TRAINING_STATE,
)
from components.shared.files import read_json, write_json
from pipeline.local import CHECKPOINTS, STEPS_FOLDER
from pipeline.look import look, read_sheet
from pipeline.results import RUN
from tests.pipeline.recording import STEPS, Recording

PROGRESS = {"step": 10, "epoch": 4, "images_per_second": 1234.5, "seconds_left": 150.4,
            "share": 0.42}  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Folder of runs, with a training three epochs old."""
    runs_dir = tmp_path_factory.mktemp("recorded")
    with Recording(runs_dir) as recording:
        recording.start().epochs(3)
    return runs_dir


@pytest.fixture
def runs_dir(recorded, tmp_path):
    shutil.copytree(recorded, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def folder(runs_dir):
    (folder,) = (runs_dir / CHECKPOINTS).iterdir()
    return folder


def change_state(folder, **facts):
    write_json(folder / TRAINING_STATE, read_json(folder / TRAINING_STATE) | facts)


def epochs(seen):
    return [epoch for epoch, _ in seen["sheets"]]


def test_before_any_training_it_is_said_what_is_waited_for(tmp_path):
    seen = look(tmp_path / "runs")
    assert seen["name"] is None
    assert seen["status"] == f"Waiting for a training to begin in {tmp_path}/runs/checkpoints."
    assert not (seen["facts"] or seen["sheets"] or seen["charts"])
    assert not (tmp_path / "runs").exists()


def test_sheets_curves_and_facts_of_a_training_under_way(runs_dir, folder):
    seen = look(runs_dir)
    assert (seen["name"], seen["status"]) == (folder.name, "Under way.")
    assert epochs(seen) == [0, 1, 2, 3]
    assert seen["charts"]["loss"]["discriminator"] == [[1, 1.5], [2, 1.5], [3, 1.5]]
    assert seen["charts"]["loss"]["generator"][:2] == [[1, 1.5], [2, 1.0]]
    assert seen["charts"]["logit"]["generated"] == [[1, -0.25], [2, -0.5], [3, -0.75]]
    assert seen["charts"]["kid"] == {"KID": []}
    assert seen["facts"] == {
        "epoch": "3", "step": str(3 * STEPS), "pictures seen": str(3 * STEPS * 8),
        "pictures a second": "24",
    }  # fmt: skip


def test_what_it_tells_within_an_epoch_is_seen_until_it_ends(runs_dir, folder):
    change_state(folder, progress=PROGRESS)
    assert look(runs_dir)["facts"] == {
        "epoch": "4", "step": "10", "pictures seen": "80", "pictures a second": "1,234",
        "done": "42%", "time left": "2m30s",
    }  # fmt: skip
    change_state(folder, progress=PROGRESS | {"step": 8, "epoch": 3})  # before the last row
    assert (look(runs_dir)["facts"]["step"], look(runs_dir)["facts"]["time left"]) == ("9", "2m30s")
    change_state(folder, status="finished", updated=time.time() - 60)
    seen = look(runs_dir)
    assert seen["status"].startswith("Finished on 20")
    assert not {"done", "time left"} & seen["facts"].keys()


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        (
            {"status": "stopped", "reason": "all alike"},
            "Stopped on 2001-09-09 at 01:46: all alike.",
        ),
        ({"status": "left behind"}, "Left behind on 2001-09-09 at 01:46."),
        (
            {},
            "It last told of itself on 2001-09-09 at 01:46: it was stopped, or it is stuck.",
        ),
    ],
)
def test_a_training_that_does_not_go_on_says_so(runs_dir, folder, facts, status, monkeypatch):
    monkeypatch.setattr(time, "localtime", time.gmtime)
    change_state(folder, progress=PROGRESS, updated=1e9, **facts)
    seen = look(runs_dir)
    assert seen["status"] == status
    assert "time left" not in seen["facts"]


@pytest.mark.parametrize("name", [TRAINING_IDENTITY, TRAINING_STATE, METRICS])
@pytest.mark.parametrize("content", [b"", b'{"epoch": 1, "st', b"\xff\xfe", b"[1]"])
def test_a_damaged_file_takes_away_only_what_it_says(runs_dir, folder, name, content):
    (folder / name).write_bytes(content)
    seen = look(runs_dir)
    assert epochs(seen) == [0, 1, 2, 3]
    assert bool(seen["charts"]["loss"]["generator"]) == (name != METRICS)
    assert ("pictures seen" in seen["facts"]) == (name == TRAINING_STATE)


def test_a_training_that_has_only_just_begun_is_under_way(runs_dir, folder):
    for path in (folder / TRAINING_STATE, folder / METRICS):
        path.unlink()
    shutil.rmtree(folder / SHEETS)
    seen = look(runs_dir)
    assert (seen["name"], seen["status"]) == (folder.name, "Under way.")
    assert not (seen["facts"] or seen["sheets"])


def test_long_curves_are_thinned_to_what_a_page_can_show(runs_dir, folder):
    rows = [{"epoch": epoch, "step": epoch, "real_logit": epoch} for epoch in range(1, 5001)]
    (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    points = look(runs_dir)["charts"]["logit"]["real"]
    assert (len(points), points[0], points[-1]) == (1000, [1, 1], [5000, 5000])


def test_half_a_line_and_half_a_sheet_are_not_there_yet(runs_dir, folder):
    whole = (folder / METRICS).read_bytes()
    (folder / METRICS).write_bytes(whole[:-20])
    sheet = folder / SHEETS / "epoch-0003.png"
    png = sheet.read_bytes()
    sheet.write_bytes(png[:-1])
    seen = look(runs_dir)
    assert (epochs(seen), seen["facts"]["epoch"]) == ([0, 1, 2], "2")
    sheet.write_bytes(png)
    (folder / METRICS).write_bytes(whole.replace(b"0.5,", b"NaN,"))
    seen = look(runs_dir)
    assert epochs(seen) == [0, 1, 2, 3]
    assert seen["charts"]["logit"]["real"] == []


def test_a_sheet_that_is_drawn_anew_has_another_version(runs_dir, folder):
    before = look(runs_dir)["sheets"]
    sheet = folder / SHEETS / "epoch-0002.png"
    content = sheet.read_bytes()
    sheet.unlink()
    assert epochs(look(runs_dir)) == [0, 1, 3]
    assert read_sheet(runs_dir, folder.name, sheet.name) is None
    sheet.write_bytes(content)
    after = look(runs_dir)["sheets"]
    assert [one == other for one, other in zip(before, after, strict=True)] == [
        True, True, False, True
    ]  # fmt: skip
    assert read_sheet(runs_dir, folder.name, sheet.name) == content


def test_of_several_trainings_the_one_under_way_is_seen(runs_dir, folder):
    later = folder.with_name("0123456789abcdef")
    shutil.copytree(folder, later)
    write_json(later / TRAINING_IDENTITY, {})
    assert look(runs_dir)["name"] == later.name, "it was begun last"
    change_state(folder, updated=time.time() + 1)
    assert look(runs_dir)["name"] == later.name, "and does not take turns with another"
    change_state(later, status="finished")
    assert look(runs_dir)["name"] == folder.name
    change_state(folder, status="finished")
    assert look(runs_dir)["name"] == later.name
    shutil.rmtree(later)
    folder.rename(folder.with_name(f".removed-{folder.name}"))
    assert look(runs_dir)["name"] is None


@pytest.fixture(params=["finished", "under way"])
def evaluate(request, runs_dir, folder):
    """Evaluate the training as it is now, in a run that is finished or has a few steps to go."""

    def evaluate(kid):
        task = runs_dir / STEPS_FOLDER / "2026" / f"dcgan-{kid}"
        name = "evaluate" if request.param == "under way" else "elsewhere"
        (task / "train" / "training").mkdir(parents=True)
        shutil.copy(folder / METRICS, task / "train" / "training" / METRICS)
        evaluation = task / name / "evaluation"
        evaluation.mkdir(parents=True)
        snapshots = [
            {"epoch": 2, "kid": 0.5, "kid_interval": None},
            {"epoch": 3, "kid": kid, "kid_interval": 0.01},
            {"epoch": 4, "kid": None, "kid_interval": None},
        ]
        write_json(evaluation / SCORES_FILE, {"snapshots": snapshots})
        os.utime(evaluation / SCORES_FILE, (1 / kid, 1 / kid))
        if request.param == "finished":
            run = runs_dir / f"run-{kid}"
            run.mkdir()
            artifacts = {"evaluation": evaluation, "training": task / "train" / "training"}
            artifacts = {name: str(path) for name, path in artifacts.items()}
            write_json(run / RUN, {"artifacts": artifacts})

    return evaluate


def test_kid_is_that_of_this_training_alone(runs_dir, folder, evaluate):
    evaluate(0.25)
    scored = {"KID": [[2, 0.5, 0.0], [3, 0.25, 0.01]]}
    assert look(runs_dir)["charts"]["kid"] == scored
    with (folder / METRICS).open("a") as file:
        file.write('{"epoch": 4, "step": 12}\n')
    assert look(runs_dir)["charts"]["kid"] == scored, "it has gone on since then"
    evaluate(0.125)
    assert look(runs_dir)["charts"]["kid"]["KID"][1] == [3, 0.125, 0.01], "the newer ones"
    (folder / KIDS).write_text('{"epoch": 2, "kid": 0.7, "kid_interval": 0.02, "gain": true}\n')
    assert look(runs_dir)["charts"]["kid"]["KID"][1] == [3, 0.125, 0.01], "patience saw fewer"
    (folder / KIDS).unlink()
    (folder / METRICS).write_text((folder / METRICS).read_text().replace("1.5", "1.25"))
    assert look(runs_dir)["charts"]["kid"] == {"KID": []}


def test_kids_that_are_worked_out_while_it_trains_are_seen(tmp_path):
    with Recording(tmp_path) as recording:
        recording.start().epochs(2)
        rows = [
            {"epoch": 0, "kid": 0.9, "kid_interval": 0.02, "gain": True},
            {"epoch": 1, "kid": None, "kid_interval": None, "gain": False},
            {"epoch": 2, "kid": 0.5, "kid_interval": 0.01, "gain": True},
        ]
        lines = [json.dumps(row) for row in rows]
        (recording.folder / KIDS).write_text("\n".join([*lines, lines[0][:20]]))
        assert look(tmp_path)["charts"]["kid"] == {"KID": [[0, 0.9, 0.02], [2, 0.5, 0.01]]}
