"""Messages to a webhook: a real HTTP server that keeps what it is sent."""

import json
import os
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from components.export.notify import WEBHOOK_VARIABLE, notify
from components.shared.errors import PipelineError, UsageError
from pipeline.dag import make_dag

ROOT = Path(__file__).parents[3]
SECRET = "hush-hush"
RUN = {"run_id": "0a1b", "name": "dcgan-x7k2p", "ui_host": "https://kubeflow.test", "error": ""}
LINK = "https://kubeflow.test/#/runs/details/0a1b"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, self.headers, body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Location", "/elsewhere")  # which counts in a redirect alone
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_):
        pass


class Webhook(ThreadingHTTPServer):
    """Answers with the statuses of `answers`, then with 200.

    Attributes:
        requests: Method, path, headers and body of each request.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.answers = [], []
        self.address = f"http://127.0.0.1:{self.server_port}/{SECRET}"

    @property
    def texts(self):
        return [json.loads(body)["text"] for *_, body in self.requests]


@pytest.fixture
def webhook(monkeypatch):
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        monkeypatch.setenv(WEBHOOK_VARIABLE, server.address)
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch):
    monkeypatch.setattr("components.export.notify._PAUSES", (0, 0, 0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def fail_to_notify(error_type, caplog):
    """What is said of a message that was not sent; nowhere is the address in it."""
    caplog.set_level("DEBUG")
    with pytest.raises(error_type) as raised:
        notify("FAILED", **RUN)
    error = raised.value
    assert type(error) is error_type
    # Even a hidden one: whoever raises anew while this is handled would show the whole chain.
    assert error.__context__ is None
    assert error.__cause__ is None
    assert SECRET not in str(error) + caplog.text
    assert "\n" not in str(error)
    return str(error)


@pytest.mark.parametrize("state", ["COMPLETE", "CACHED", "SUCCEEDED"])
def test_success_is_not_told(state, webhook):
    notify(state, **RUN)
    assert not webhook.requests


def test_success_needs_no_address(monkeypatch):
    monkeypatch.delenv(WEBHOOK_VARIABLE, raising=False)
    notify("COMPLETE", **RUN)


@pytest.mark.parametrize("state", ["FAILED", "CANCELED", "CANCELLED"])
def test_failure_is_told_once(state, webhook, caplog):
    caplog.set_level("DEBUG")
    notify(state, **RUN)
    (method, path, headers, body), *more = webhook.requests
    assert not more
    assert (method, path) == ("POST", f"/{SECRET}")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"text": f"dcgan: dcgan-x7k2p ended as {state}; see {LINK}"}
    assert "dcgan-x7k2p" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("state", "said"), [("RUNNING", "RUNNING"), ("UNKNOWN", "UNKNOWN"), ("", "nothing")]
)
def test_a_state_that_kubeflow_does_not_know_is_told_as_such(state, said, webhook):
    notify(state, **RUN)
    assert webhook.texts == [
        f"dcgan: dcgan-x7k2p ended, its state is not known (Kubeflow says {said}); see {LINK}"
    ]


def test_an_error_is_told_in_one_line(webhook):
    notify("FAILED", **RUN | {"error": "train\n  failed"})
    assert webhook.texts == [f"dcgan: dcgan-x7k2p ended as FAILED: train failed; see {LINK}"]


@pytest.mark.parametrize(
    ("ui_host", "where"), [("https://kubeflow.test/", f"see {LINK}"), ("", "run 0a1b")]
)
def test_where_to_look(ui_host, where, webhook):
    notify("FAILED", **RUN | {"ui_host": ui_host})
    assert webhook.texts == [f"dcgan: dcgan-x7k2p ended as FAILED; {where}"]


@pytest.mark.parametrize("status", [503, 429])
def test_a_webhook_that_is_busy_is_asked_again(status, webhook):
    webhook.answers = [status]
    notify("FAILED", **RUN)
    assert len(webhook.requests) == 2
    assert len(set(webhook.texts)) == 1


@pytest.mark.parametrize(
    ("status", "tries"),
    [(404, 1), (302, 1), (503, 3)],  # of a redirected POST the body would be lost
)
def test_a_webhook_that_refuses(status, tries, webhook, caplog):
    webhook.answers = [status] * tries
    assert f"did not take the message (HTTP {status})" in fail_to_notify(PipelineError, caplog)
    assert [path for _, path, *_ in webhook.requests] == [f"/{SECRET}"] * tries


def test_nobody_listens(monkeypatch, caplog):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/{SECRET}"
        monkeypatch.setenv(WEBHOOK_VARIABLE, address)
        message = fail_to_notify(PipelineError, caplog)
    assert "did not take the message (ConnectionRefusedError)" in message
    assert "cluster.webhook_secret" in message


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (f"http://127.0.0.1/{SECRET} x", "InvalidURL"),
        (f"http://me:{SECRET}@127.0.0.1/", "InvalidURL"),
        (f"http://[{SECRET}/", "ValueError"),
        (f"http:///{SECRET}", "URLError"),
    ],
)
def test_a_broken_address(address, reason, monkeypatch, caplog):
    monkeypatch.setenv(WEBHOOK_VARIABLE, address)
    assert f"({reason})" in fail_to_notify(PipelineError, caplog)


@pytest.mark.parametrize(
    "address", [f"not a url {SECRET}", "file:///etc/passwd", f"hooks.test/{SECRET}", " ", None]
)
def test_no_address(address, monkeypatch, caplog):
    if address is None:
        monkeypatch.delenv(WEBHOOK_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(WEBHOOK_VARIABLE, address)
    message = fail_to_notify(UsageError, caplog)
    assert message.startswith("$DCGAN_WEBHOOK_URL holds no address: ")
    assert "passwd" not in message


def test_what_surrounds_an_address_in_a_file_does_not_count(webhook, monkeypatch):
    monkeypatch.setenv(WEBHOOK_VARIABLE, f"\n{webhook.address.replace('http', 'HTTP')}\n")
    notify("FAILED", **RUN)
    assert len(webhook.requests) == 1


RUN_THE_DAG = """
from kfp import local
from pipeline.dag import make_dag
local.init(local.SubprocessRunner(use_venv=False), pipeline_root="steps")
make_dag(notify_from="https://kubeflow.test")(
    images="/no/such/pictures", publish_root="published", checkpoint_root="checkpoints"
)
"""


@pytest.mark.parametrize("status", [200, 404])
def test_a_dag_that_fails_tells_once(status, webhook, tmp_path):
    webhook.answers = [status]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN_THE_DAG],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    output = done.stdout + done.stderr
    assert "[fingerprint] error 2: there is nothing at" in output
    assert SECRET not in output
    [text] = webhook.texts
    # kfp's local runner names the run so; the placeholder of its id is filled in.
    assert text.startswith("dcgan: local-pipeline-exit-handler-1 ended as FAILED: ")
    _, _, run_id = text.rpartition("; see https://kubeflow.test/#/runs/details/")
    assert run_id.isalnum()
    assert ("[notify] done in" in output) == (status == 200)
    assert ("[notify] error 1: the webhook did not" in output) == (status == 404)


def test_a_retried_run_that_fails_again_is_told_again():
    tasks = make_dag(notify_from="").pipeline_spec.root.dag.tasks
    assert not tasks["notify"].caching_options.enable_cache
