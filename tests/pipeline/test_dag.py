"""The DAG as compiled: edges, caching, gate, images."""

import json
import subprocess
import sys

import pytest
import yaml

from pipeline import code_version as code_version_module


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("dag") / "dcgan.yaml"
    code = (
        "import sys; from kfp import compiler; from pipeline.dag import make_dag\n"
        f"compiler.Compiler().compile(make_dag(), {str(path)!r})\n"
        "import json; print(json.dumps(sorted(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, capture_output=True, text=True
    ).stdout
    modules = set(json.loads(output.splitlines()[-1]))
    compiled = next(yaml.safe_load_all(path.read_text()))
    return compiled, modules


def test_compiling_imports_nothing_heavy(spec):
    heavy = {"tensorflow", "apache_beam", "tensorflow_transform", "matplotlib", "keras"}
    assert not heavy & spec[1]


def test_steps_follow_the_data(spec):
    tasks = spec[0]["root"]["dag"]["tasks"]
    assert {name: sorted(task.get("dependentTasks", [])) for name, task in tasks.items()} == {
        "fingerprint": [],
        "ingest": ["fingerprint"],
        "transform": ["ingest"],
        "validate": ["fingerprint", "ingest", "transform"],
        "train": ["ingest", "transform", "validate"],  # which refuses what it would train for
        "evaluate": ["ingest", "train"],
        "export": ["evaluate", "train"],
        "compare": ["evaluate", "export", "fingerprint", "ingest"],
        "report": ["compare", "evaluate", "export", "ingest", "train", "validate"],
        "condition-1": ["compare", "evaluate", "export", "report", "validate"],
    }


def test_what_fingerprint_sees_reaches_those_who_depend_on_it(spec):
    tasks = spec[0]["root"]["dag"]["tasks"]
    inputs = {name: task["inputs"]["parameters"] for name, task in tasks.items()}
    for task, argument, field in (
        ("ingest", "source_digest", "source"),
        ("validate", "champion", "champion"),
        ("compare", "champion", "champion"),
    ):  # fmt: skip
        source = inputs[task][argument]["taskOutputParameter"]
        assert source == {"producerTask": "fingerprint", "outputParameterKey": field}
    for task in ("fingerprint", "validate", "compare"):
        assert inputs[task]["publish_root"] == {"componentInputParameter": "publish_root"}
    assert inputs["compare"]["config"] == inputs["evaluate"]["config"], "scored in the same way"
    for task in ("fingerprint", "validate"):
        assert inputs[task]["export_config"] == inputs["export"]["config"]
    assert inputs["fingerprint"]["train_config"] == inputs["train"]["config"]
    for argument in ("checkpoint_root", "paranoid"):
        assert inputs["fingerprint"][argument] == {"componentInputParameter": argument}
    assert "paranoid" not in inputs["ingest"], "how one looks does not change what is seen"


def test_publishing_depends_on_the_comparison(spec):
    gate = spec[0]["root"]["dag"]["tasks"]["condition-1"]
    assert "compare-Output'] == true" in gate["triggerPolicy"]["condition"]
    inner = spec[0]["components"][gate["componentRef"]["name"]]["dag"]["tasks"]
    assert list(inner) == ["publish"]
    assert not inner["publish"]["cachingOptions"].get("enableCache")
    assert set(inner["publish"]["inputs"]["artifacts"]) == {
        "model", "validation", "evaluation", "comparison", "card"
    }  # fmt: skip


def test_only_what_looks_at_the_outside_world_is_never_cached(spec):
    tasks = spec[0]["root"]["dag"]["tasks"]
    cached = {
        name for name, task in tasks.items() if task.get("cachingOptions", {}).get("enableCache")
    }
    assert cached == {
        "ingest", "transform", "validate", "train", "evaluate", "report", "export", "compare"
    }  # fmt: skip


def test_each_step_has_an_image_and_installs_nothing(spec):
    for name, executor in spec[0]["deploymentSpec"]["executors"].items():
        container = executor["container"]
        assert container["image"].startswith("dcgan-pipeline/"), name
        assert "pip install" not in " ".join(container["command"]), name


def test_parameters_show_every_knob_with_its_default(spec):
    parameters = spec[0]["root"]["inputDefinitions"]["parameters"]
    assert parameters["train_config"]["defaultValue"]["epochs"] == 50
    assert parameters["ingest_config"]["defaultValue"]["image_size"] == 64
    assert parameters["paranoid"]["defaultValue"] is False


def test_code_version_follows_the_steps_own_code_and_what_it_shares(tmp_path, monkeypatch):
    for room in ("shared", "metrics", "train", "export"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "step.py").write_text("x = 1\n")
    monkeypatch.setattr(code_version_module, "_ROOT", tmp_path)
    seen = code_version_module.code_version.__wrapped__  # what a new process sees
    before = seen("train")
    (tmp_path / "export" / "step.py").write_text("x = 2\n")
    (tmp_path / "train" / ".step.py.swp").write_text("an editor's\n")
    assert seen("train") == before
    seen_so_far = {before}
    for room in ("train", "shared", "metrics"):
        (tmp_path / room / "step.py").write_text("x = 2\n")
        assert seen("train") not in seen_so_far
        seen_so_far.add(seen("train"))
