"""`docker run` of each step with kfp's command, as anybody, with a read-only root."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from kfp import compiler

from components.shared.contracts import STEPS
from pipeline import results
from pipeline.config import load_config
from pipeline.dag import make_dag

pytestmark = pytest.mark.docker
TASKS = (*results.TASKS, "collect")
SETTINGS = {"validate": "evaluate", "compare": "evaluate"}  # task → whose it is given
ROOT = Path(__file__).parents[2]
ANYBODY = 12345
CONFIG = load_config(
    file=ROOT / "tests/e2e/tiny.yaml",
    overrides=["ingest.max_images=60", "train.epochs=1", "train.snapshot_epochs=1"],
).model_dump(mode="json")


@pytest.fixture(scope="module")
def executors(engine, tmp_path_factory):
    """Container and component of each task, as compiled for a cluster."""
    path = tmp_path_factory.mktemp("dag") / "dcgan.yaml"
    compiler.Compiler().compile(make_dag(engine.images.place, collect_results=True), str(path))
    spec = yaml.safe_load(path.read_text())
    containers = spec["deploymentSpec"]["executors"]
    return {
        task: (containers[f"exec-{task}"]["container"], spec["components"][f"comp-{task}"])
        for task in TASKS
    }


@pytest.fixture(scope="module")
def folders(executors, tmp_path_factory):
    """Run all tasks, each with one folder to write to; give what each printed and its folder."""
    root = tmp_path_factory.mktemp("artifacts")
    root.chmod(0o755)
    artifacts, done = {}, {}
    for task, (container, component) in executors.items():
        out = root / task
        out.mkdir()
        out.chmod(0o777)  # it is anybody's
        executor_input = describe(component, task, artifacts)
        command = [
            text.replace("{{$}}", json.dumps(executor_input))
            for text in container["command"] + container["args"]
        ]
        done[task] = subprocess.run(
            [
                "docker", "run", "--rm", "--read-only", f"--user={ANYBODY}:{ANYBODY}",
                "--network=none", f"--volume={ROOT / 'pipeline/demo'}:/pictures:ro",
                f"--volume={root}:/artifacts:ro", f"--volume={out}:/artifacts/{task}",
                container["image"], *command,
            ], capture_output=True, text=True, check=False,
        ), out  # fmt: skip
        assert done[task][0].returncode == 0, done[task][0].stdout + done[task][0].stderr
    return done


def describe(component, task, artifacts):
    """Kubeflow's message to a task: what goes in, and where what comes out shall lie."""
    values = {
        "images": "/pictures/faces_cc0_1000.zip",
        "source_digest": "0",
        "code_version": "0",
        "champion": "",
        "paranoid": False,
        "config": CONFIG.get(SETTINGS.get(task, task)),
        "train_config": CONFIG["train"],
        "export_config": CONFIG["export"],
        "checkpoint_root": f"/artifacts/{task}",
        "publish_root": f"/artifacts/{task}",
    }
    inputs = component.get("inputDefinitions", {})
    outputs = component.get("outputDefinitions", {})
    for name, definition in outputs.get("artifacts", {}).items():
        artifacts[name] = {
            "name": name, "type": definition["artifactType"], "metadata": {},
            "uri": f"/artifacts/{task}/{name}",
        }  # fmt: skip
    return {
        "inputs": {
            "parameterValues": {name: values[name] for name in inputs.get("parameters", {})},
            "artifacts": {
                name: {"artifacts": [artifacts[name]]} for name in inputs.get("artifacts", {})
            },
        },
        "outputs": {
            "parameters": {
                name: {"outputFile": f"/artifacts/{task}/{name}"}
                for name in outputs.get("parameters", {})
            },
            "artifacts": {
                name: {"artifacts": [artifacts[name]]} for name in outputs.get("artifacts", {})
            },
            "outputFile": f"/artifacts/{task}/executor_output.json",
        },
    }


@pytest.mark.parametrize("task", TASKS)
def test_step_needs_no_more_than_its_output_folder(folders, executors, task):
    done, out = folders[task]
    assert f"[{task}] done in" in done.stdout
    artifacts = executors[task][1].get("outputDefinitions", {}).get("artifacts", {})
    for name in (*artifacts, "executor_output.json"):
        assert (out / name).exists(), name
        assert (out / name).stat().st_uid == ANYBODY


def test_steps_that_compute_do_not_complain(folders):
    """A home or a cache that cannot be written to shows as a warning."""
    for done, _ in folders.values():
        assert "not a writable directory" not in done.stderr
        assert "UserWarning" not in done.stderr


@pytest.mark.parametrize("step", STEPS)
def test_nothing_but_memory_can_be_written_to(engine, step):
    try_all = "for d in / /app /opt /opt/venv /tmp /var/tmp; do touch $d/x && echo $d; done; true"
    done = subprocess.run(
        ["docker", "run", "--rm", "--read-only", f"--user={ANYBODY}:{ANYBODY}",
         engine.images.reference(step), "sh", "-c", try_all],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == ""
    assert done.stderr.count("touch: ") == 6
