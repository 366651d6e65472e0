"""The whole DAG in containers through the command line, stopped and killed on the way."""

import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.broken_pictures import write_broken_pictures

pytestmark = [pytest.mark.e2e, pytest.mark.docker]
TINY = Path(__file__).with_name("tiny.yaml")
LABEL = "dcgan-pipeline.lock"
COMPARED = {"fingerprint", "validate", "report", "compare"}  # what another champion runs again


def command(workspace, *arguments):
    return [
        sys.executable, "-m", "pipeline", "run", "--runner", "docker", "--config", str(TINY),
        "--set", "ingest.max_images=60", "--set", "export.formats=[tflite]",
        "--runs-dir", str(workspace / "runs"), *arguments,
    ]  # fmt: skip


ENVIRONMENT = os.environ | {"COLUMNS": "80", "CUDA_VISIBLE_DEVICES": ""}


def run(workspace, *arguments, code=0):
    done = subprocess.run(
        command(workspace, *arguments), cwd=workspace, env=ENVIRONMENT,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    log = "\n".join(path.read_text() for path in sorted((workspace / "runs/logs").glob("*")))
    assert done.returncode == code, done.stdout + done.stderr + log[-5000:]
    return done.stdout + done.stderr


def latest(workspace):
    return json.loads((workspace / "runs/latest/run.json").read_text())


def containers(engine, workspace, **filters):
    """Of these runs, running or not."""
    return [
        container
        for container in engine.client.containers.list(
            all=True, filters={"label": LABEL, **filters}, ignore_removed=True
        )
        if container.labels[LABEL].startswith(str(workspace))
    ]


@pytest.fixture(scope="module")
def workspace(engine, tmp_path_factory):
    """A folder with one finished run of the demo's first pictures."""
    folder = tmp_path_factory.mktemp("workspace")
    run(folder)
    return folder


def test_run_leaves_everything_a_person_asks_for(workspace):
    folder = workspace / "runs/latest"
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "dcgan.gif", "latent_walk.gif", "samples.png", "saved_model",
        "generator.keras", "discriminator.npz", "MODEL_CARD.md", "config.yaml", "run.json",
        "model.json", "dcgan.webp", "generator.tflite",  # as asked for
    }  # fmt: skip
    assert (workspace / "runs/published/dcgan/1/saved_model.pb").exists()
    assert set(latest(workspace)["tasks"]) == {
        "fingerprint", "ingest", "transform", "validate", "train", "evaluate", "report", "export",
        "compare", "publish",
    }  # fmt: skip


def test_every_step_ran_in_its_own_image(workspace, engine):
    (log,) = (workspace / "runs/logs").glob("*.log")
    lines = [line.split() for line in log.read_text().splitlines()]
    images = [line[-1] for line in lines if line[:1] == ["Container"]]
    tasks = {"ingest": 2, "transform": 1, "train": 1, "evaluate": 4, "export": 2}
    assert collections.Counter(images) == {
        engine.images.reference(step): count for step, count in tasks.items()
    }


def test_all_that_the_steps_wrote_belongs_to_the_caller(workspace):
    files = list((workspace / "runs").rglob("*"))
    assert len(files) > 50
    assert {path.lstat().st_uid for path in files} == {os.getuid()}


def test_second_run_does_nothing(workspace):
    run(workspace)
    assert set(latest(workspace)["tasks"]) == COMPARED | {"publish"}
    run(workspace)
    assert set(latest(workspace)["tasks"]) == {"fingerprint", "publish"}


def test_changed_setting_finds_the_artifacts_of_older_runs(workspace):
    run(workspace, "--set", "export.gif_frames=3")
    assert set(latest(workspace)["tasks"]) == COMPARED | {"export", "publish"}


def test_refused_data_ends_with_the_steps_own_line_and_code(workspace, engine):
    write_broken_pictures(workspace / "broken")
    output = run(workspace, "--images", "broken", code=3)
    assert output.splitlines()[-1].startswith("error: ingest: ")
    assert "Traceback" not in output
    assert not containers(engine, workspace)


def test_training_begins_with_a_model_that_lies_elsewhere(workspace, tmp_path):
    shutil.copytree((workspace / "runs/latest").resolve(), tmp_path / "model")
    run(workspace, "--set", f"train.warm_start={tmp_path / 'model'}")
    training = Path(latest(workspace)["artifacts"]["training"], "training.json")
    origin = json.loads(training.read_text())["descends_from"]
    model = json.loads((tmp_path / "model/model.json").read_text())
    assert (origin["source"], origin["digest"]) == (str(tmp_path / "model"), model["digest"])


LONGER = ("--set", "train.epochs=2000")


def test_killed_run_ends_its_container(workspace, engine):
    with subprocess.Popen(
        command(workspace, *LONGER), cwd=workspace, env=ENVIRONMENT, stdout=subprocess.DEVNULL
    ) as process:
        wait_for_checkpoint(workspace)
        (container,) = containers(engine, workspace, status="running")
        process.kill()
    assert container.wait(timeout=60)["StatusCode"] == 143


def test_next_run_goes_on_and_an_interrupted_one_ends_its_container(workspace, engine):
    with subprocess.Popen(
        command(workspace, *LONGER), cwd=workspace, env=ENVIRONMENT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert any("train going on from step" in line for line in process.stdout)
        (container,) = containers(engine, workspace)
        assert container.status == "running", "what the dead run left is removed"
        container.pause()  # a step may be silent for long
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "error: stopped; the same command goes on from there\n"
    assert not containers(engine, workspace)


def wait_for_checkpoint(workspace):
    """Until the longer training has done some epochs."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for state in (workspace / "runs/checkpoints").glob("*/training_state.json"):
            metrics = state.with_name("metrics.jsonl")
            longer = json.loads(state.read_text()).get("epochs") == 2000
            if longer and metrics.exists() and len(metrics.read_text().splitlines()) > 6:
                return
        time.sleep(0.05)
    raise AssertionError("the training did not start")
