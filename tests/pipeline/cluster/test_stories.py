"""Runs whose steps are real processes, by kfp's own executor, as a person sees them."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from components.export.component import notify
from components.export.notify import WEBHOOK_VARIABLE
from components.ingest.component import ingest
from components.shared.restarts import RESTARTS_VARIABLE
from tests.pipeline.cluster.conftest import IMAGES, options


@pytest.fixture
def run_pod(contract, tmp_path):
    """Run a component to its end; its output is its pod's log on the server."""

    def run_pod(component, parameters, outputs=(), **environment):
        folder = tmp_path / component.name
        folder.mkdir()
        source = component.component_spec.implementation.container.command[-1]
        (folder / "step.py").write_text(source)
        artifacts = {name: {"artifacts": [described(folder, name)]} for name in outputs}
        given = {
            "inputs": {"parameterValues": parameters},
            "outputs": {"artifacts": artifacts, "outputFile": str(folder / "output.json")},
        }
        ended = subprocess.run(
            [sys.executable, "-m", "kfp.dsl.executor_main", "--component_module_path", "step.py",
             "--function_to_execute", component.name, "--executor_input", json.dumps(given)],
            check=False, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "_KFP_RUNTIME": "true"}
            | environment,
        )  # fmt: skip
        (run,) = contract.runs.values()
        contract.logs[contract.pod_of(run, component.name)] = ended.stdout
        return ended.returncode

    return run_pod


def described(folder, name):
    return {
        "name": name, "type": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
        "uri": str(folder / name), "metadata": {},
    }  # fmt: skip


@pytest.fixture
def webhook():
    """A webhook's address, and the messages that it took."""
    messages = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            messages.append(json.loads(body)["text"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", messages
        server.shutdown()
        thread.join()


def tell(run_pod, contract, address, state):
    """Run the exit handler, which Kubeflow gives a state of its own."""
    (run,) = contract.runs.values()
    status = {
        "state": state, "pipelineJobResourceName": "dcgan-x7k2p", "pipelineTaskName": "run",
    }  # fmt: skip
    parameters = {
        "status": status, "run_id": run["run_id"], "ui_host": "https://pages.example",
        "api_host": contract.url,
    }  # fmt: skip
    assert run_pod(notify, parameters, no_proxy="*", **{WEBHOOK_VARIABLE: address}) == 0


def test_a_refusal_runs_once_and_is_told_in_its_own_words(
    dcgan, contract, run_pod, webhook, tmp_path
):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    contract.phases = [("RUNNING", {"fingerprint": "SUCCEEDED", "ingest": "RUNNING"})]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    parameters = {
        "images": str(tmp_path / "pictures"), "source_digest": "d", "code_version": "c",
        "config": {},
    }  # fmt: skip
    assert run_pod(ingest, parameters, ["records"], **{RESTARTS_VARIABLE: "2"}) == 3
    (run,) = contract.runs.values()
    run["_phases"] = [("FAILED", {"fingerprint": "SUCCEEDED", "ingest": "FAILED"})]
    done = dcgan("runs", "show", "one", "--wait", *options(contract.url), code=3)
    assert "run one failed in ingest: no pictures in" in done.err
    log = dcgan("runs", "logs", "one", "ingest", *options(contract.url)).out
    assert log.count("[ingest] error 3: ") == 1
    assert "beginning again" not in log

    address, messages = webhook
    tell(run_pod, contract, address, "FAILED")
    (message,) = messages
    assert message.startswith("dcgan: one failed in ingest")
    assert message.endswith(f"see https://pages.example/#/runs/details/{run['run_id']}")


def test_a_run_that_a_person_stopped_is_no_alarm(dcgan, contract, run_pod, webhook):
    contract.phases = [("RUNNING", {"train": "RUNNING"})] * 9
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (run,) = contract.runs.values()
    dcgan("runs", "show", "one", *options(contract.url))
    dcgan("runs", "stop", "one", *options(contract.url))
    address, messages = webhook
    tell(run_pod, contract, address, "RUNNING")  # all that Kubeflow 2.17.0 says in there
    assert not messages
    log = contract.logs[contract.pod_of(run, "notify")].decode()
    assert "[notify] a person stopped run one: nothing to tell" in log
    done = dcgan("runs", "show", "one", "--wait", *options(contract.url), code=130)
    assert "run one was stopped" in done.err
