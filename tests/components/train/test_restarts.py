"""The train step as a pod runs it, by kfp's own executor, begun again when it is killed."""

import json
import os
import signal
import subprocess
import sys

import pytest

from components.shared.contracts import TRAINING
from components.shared.errors import DataRefused
from components.shared.files import read_json
from components.shared.restarts import RESTARTS_VARIABLE
from components.train.component import train
from components.train.config import TrainConfig
from tests.components.train.conftest import (
    assert_same_results,
    assert_same_training,
    component_arguments,
    newest_checkpoint,
    only_folder,
)

CONFIG = TrainConfig(
    epochs=3, batch_size=4, base_width=16, latent_size=8, ema_half_life=50, dropout=0.3,
    checkpoint_seconds=1e6, precision="float32",
)  # fmt: skip
# What kfp loads: the component's own source, and what observes each try in its child, since that
# brings TensorFlow.
OBSERVED = """
import json
from pathlib import Path
from components.shared import process, restarts

restarts._FIRST_PAUSE = 0.01
PLANS = json.loads(Path("plans.json").read_text())

def go_on_in_child(real=restarts.go_on_in_child):
    real()
    from tests.components.train.observed import observe
    tried = len(list(Path().glob("try-*")))
    observe(PLANS[tried], Path(f"try-{tried}"))
    Path(f"try-{tried}").touch()

process.go_on_in_child = go_on_in_child
"""


@pytest.fixture
def start_pod(inputs, tmp_path):
    """Start the step with a plan for each try; its log is the process's output."""

    def start_pod(config, name, *plans, restarts="3"):
        folder = tmp_path / f"{name}.pod"
        folder.mkdir()
        source = train.component_spec.implementation.container.command[-1]
        (folder / "train.py").write_text(source + OBSERVED)
        (folder / "plans.json").write_text(json.dumps(plans))
        checkpoints = tmp_path / f"{name}.checkpoints"
        arguments = component_arguments(inputs, tmp_path / name, checkpoints, config)
        return subprocess.Popen(
            [sys.executable, "-m", "kfp.dsl.executor_main", "--component_module_path", "train.py",
             "--function_to_execute", "train", "--executor_input",
             json.dumps(executor_input(arguments, folder))],
            cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {
                "PYTHONPATH": os.pathsep.join(sys.path), "_KFP_RUNTIME": "true",
                "PYTHONUNBUFFERED": "1", RESTARTS_VARIABLE: restarts,
            },
        )  # fmt: skip

    return start_pod


def executor_input(arguments, folder):
    """What Kubeflow's launcher gives the step: inputs, and where its outputs go."""

    def artifact(name, schema):
        described = {
            "name": name, "type": {"schemaTitle": schema, "schemaVersion": "0.0.1"},
            "uri": arguments[name], "metadata": {},
        }  # fmt: skip
        return {"artifacts": [described]}

    parameters = ("checkpoint_root", "code_version", "config")
    return {
        "inputs": {
            "parameterValues": {name: arguments[name] for name in parameters},
            "artifacts": {
                "records": artifact("records", "system.Dataset"),
                "transform_graph": artifact("transform_graph", "system.Artifact"),
            },
        },
        "outputs": {
            "artifacts": {"training": artifact("training", "system.Artifact")},
            "outputFile": str(folder / "executor_output.json"),
        },
    }


def test_killed_twice_it_goes_on_by_itself_to_the_bit(start, start_pod, tmp_path):
    straight = start(CONFIG, "straight", "straight.checkpoints")
    assert straight.wait() == 0, straight.log
    plans = [{"checkpoint_at": 4, "kill_at": 5}, {"checkpoint_at": 9, "kill_at": 11}, {}]
    in_queue = CONFIG.model_copy(update={"queue": "weekly"})  # its turn outlives a crash
    with start_pod(in_queue, "killed", *plans) as pod:
        log, _ = pod.communicate(timeout=300)
    assert pod.returncode == 0, log
    assert [line for line in log.splitlines() if "beginning again" in line] == [
        f"[train] killed by signal 9: beginning again in 0 s ({n} of 3)" for n in (1, 2)
    ]
    assert "going on from step 4 of 18" in log
    assert "going on from step 9 of 18" in log
    assert_same_training(
        only_folder(tmp_path / "straight.checkpoints"), only_folder(tmp_path / "killed.checkpoints")
    )
    assert_same_results(tmp_path / "straight", tmp_path / "killed")
    assert read_json(tmp_path / "killed" / TRAINING)["resumed_from_step"] == 9
    written = read_json(tmp_path / "killed.pod" / "executor_output.json")
    assert written["artifacts"]["training"]["artifacts"][0]["uri"] == str(tmp_path / "killed")


def test_killed_too_often_it_leaves_no_output(start_pod, tmp_path):
    with start_pod(CONFIG, "killed", {"kill_at": 2}, {"kill_at": 2}, restarts="1") as pod:
        log, _ = pod.communicate(timeout=300)
    assert pod.returncode == 128 + signal.SIGKILL, log
    assert log.splitlines()[-1].startswith(
        "[train] error 137: killed by signal 9 in restart 1 of 1"
    )
    assert not (tmp_path / "killed").exists()
    assert not (tmp_path / "killed.pod" / "executor_output.json").exists()


def test_a_refusal_of_the_data_runs_once(start_pod, tmp_path):
    with start_pod(CONFIG.model_copy(update={"batch_size": 25}), "refused", {}, {}) as pod:
        log, _ = pod.communicate(timeout=300)
    assert pod.returncode == DataRefused.exit_code, log
    assert "beginning again" not in log
    assert len(list((tmp_path / "refused.pod").glob("try-*"))) == 1


def test_sigterm_writes_a_checkpoint_and_ends(start_pod, tmp_path):
    with start_pod(CONFIG, "stopped", {"wait_at": 7}, {}) as pod:
        for line in pod.stdout:
            if line == "waiting after step 7\n":
                pod.terminate()
                break
        log, _ = pod.communicate(timeout=300)
    assert pod.returncode == 143, log
    assert "[train] error 143: stopped after step 8 of 18, epoch 2, with a checkpoint" in log
    assert "beginning again" not in log
    folder = only_folder(tmp_path / "stopped.checkpoints")
    assert newest_checkpoint(folder).name == "step-00000008.npz"
    assert not (tmp_path / "stopped").exists()
