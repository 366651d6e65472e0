"""What the webhook is told where Kubeflow's API answers, by runs as a real server gave them."""

import contextlib
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from components.export.notify import WEBHOOK_VARIABLE, notify
from components.export.run_facts import TOKEN_FILE_VARIABLE, RunFacts, ask

RECORDED = Path(__file__).parents[2] / "pipeline" / "cluster" / "recorded"
WORKFLOW = "dcgan-x7k2p"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Authorization"]))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # tired of waiting
            for byte in body if self.server.seconds else ():
                self.wfile.write(bytes([byte]))
                time.sleep(self.server.seconds)
            self.wfile.write(b"" if self.server.seconds else body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.texts.append(json.loads(body)["text"])
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Cluster(ThreadingHTTPServer):
    """Both the API, which gives `answer`, and the webhook, which keeps `texts`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.texts, self.answer = [], [], (404, b"")
        self.location, self.seconds = "", 0.0
        self.host = f"http://127.0.0.1:{self.server_port}"

    def gives(self, name, **changes):
        """Have it answer with a recorded run; returns that."""
        run = json.loads((RECORDED / f"{name}.json").read_text()) | changes
        self.answer = (200, json.dumps(run).encode())
        return run

    def told(self, state, api_host=None):
        """What the webhook is told when Kubeflow gives this state."""
        notify(state, "0a1b", WORKFLOW, "", "", self.host if api_host is None else api_host)
        return self.texts


@pytest.fixture
def cluster(monkeypatch):
    with Cluster() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        monkeypatch.setenv(WEBHOOK_VARIABLE, server.host)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.delenv(TOKEN_FILE_VARIABLE, raising=False)
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("recorded", "name", "failed"),
    [
        ("data-refused-with-webhook", "bad", ("ingest",)),
        ("no-template-defaults-data-refused", "oldbad", ("ingest",)),  # asked as notify ran
        ("driver-failed-in-outage", "gpu1", ("compare",)),
        ("out-of-memory", "oom2", ("train",)),
        ("lost-pods-retried", "dagretry", ()),
        ("retried-by-server", "gpu2", ()),
        ("not-blessed", "gate", ()),
    ],
)
def test_the_api_says_what_failed(cluster, recorded, name, failed):
    cluster.gives(recorded)
    assert ask(cluster.host, "0a1b") == RunFacts(name, False, failed)
    assert cluster.asked == [("/apis/v2beta1/runs/0a1b", None)]


def test_tasks_that_failed_are_in_the_order_of_their_ends(cluster):
    run = cluster.gives("data-refused-with-webhook")
    for row in run["run_details"]["task_details"]:
        if row["display_name"] == "fingerprint":
            row |= {"state": "FAILED", "end_time": "2026-11-28T14:59:00Z"}
    cluster.gives("data-refused-with-webhook", run_details=run["run_details"])
    assert ask(cluster.host, "0a1b").failed == ("ingest", "fingerprint")


def test_a_failure_is_told_by_names_that_people_know(cluster):
    cluster.gives("data-refused-with-webhook")
    assert cluster.told("FAILED") == ["dcgan: bad failed in ingest; run 0a1b"]


def test_a_failure_is_told_where_kubeflow_gives_another_state(cluster):
    cluster.gives("out-of-memory")
    assert cluster.told("RUNNING") == ["dcgan: oom2 failed in train; run 0a1b"]


def test_a_run_that_a_person_stopped_is_no_alarm(cluster, caplog):
    cluster.gives("stopped-with-webhook")
    caplog.set_level("INFO")
    assert cluster.told("RUNNING") == []
    assert "a person stopped run hookstop: nothing to tell" in caplog.text


def test_a_stopped_run_that_was_retried_and_failed_is_told(cluster):
    run = cluster.gives("stopped-with-webhook")
    states = [*run["state_history"], {"state": "RUNNING"}, {"state": "FAILED"}]
    cluster.gives("stopped-with-webhook", state_history=states)
    assert cluster.told("FAILED") == ["dcgan: hookstop failed in fingerprint; run 0a1b"]


@pytest.mark.parametrize("state", ["COMPLETE", "SUCCEEDED", "CACHED"])
def test_of_a_success_nobody_is_asked(cluster, state):
    assert cluster.told(state) == []
    assert not cluster.asked


@pytest.mark.parametrize(
    "answer",
    [(401, b"{}"), (403, b""), (404, b"{}"), (500, b""), (200, b"<html>"), (200, b"{}"),
     (200, b'{"error": {"message": "broken"}, "run_id": "0a1b"}')],
)  # fmt: skip
def test_where_the_api_says_nothing_the_message_claims_nothing(cluster, caplog, answer):
    cluster.answer = answer
    caplog.set_level("INFO")
    assert cluster.told("RUNNING") == [
        f"dcgan: {WORKFLOW} ended, its state is not known (Kubeflow says RUNNING); run 0a1b"
    ]
    assert f"{cluster.host} says nothing of the run (" in caplog.text


def test_where_the_api_is_not_reached_the_message_is_sent(cluster):
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert cluster.told("FAILED", nowhere) == [f"dcgan: {WORKFLOW} ended as FAILED; run 0a1b"]


def test_an_api_that_does_not_answer_is_left(cluster, monkeypatch):
    monkeypatch.setattr("components.export.run_facts._TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert cluster.told("FAILED", address) == [f"dcgan: {WORKFLOW} ended as FAILED; run 0a1b"]


def test_nobody_is_asked_where_no_address_is_given(cluster):
    assert cluster.told("FAILED", "") == [f"dcgan: {WORKFLOW} ended as FAILED; run 0a1b"]
    assert not cluster.asked


def test_a_token_is_sent_where_there_is_one_and_no_proxy_is_in_between(
    cluster, tmp_path, monkeypatch
):
    (tmp_path / "token").write_text("secret\n")
    monkeypatch.setenv(TOKEN_FILE_VARIABLE, str(tmp_path / "token"))
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    cluster.gives("out-of-memory")
    assert ask(cluster.host, "0a1b") is not None
    assert cluster.asked == [("/apis/v2beta1/runs/0a1b", "Bearer secret")]


def test_the_token_does_not_follow_to_another_host(cluster, tmp_path, monkeypatch):
    (tmp_path / "token").write_text("secret")
    monkeypatch.setenv(TOKEN_FILE_VARIABLE, str(tmp_path / "token"))
    with Cluster() as other:
        thread = threading.Thread(target=other.serve_forever, args=[0.01])
        thread.start()
        other.gives("out-of-memory")
        cluster.answer = (302, b"")
        cluster.location = f"{other.host}/apis"
        assert ask(cluster.host, "0a1b") is not None
        other.shutdown()
        thread.join()
    assert cluster.asked == [("/apis/v2beta1/runs/0a1b", "Bearer secret")]
    assert other.asked == [("/apis", None)]


@pytest.mark.parametrize(("limit", "value"), [("_TIMEOUT", 0.2), ("_LARGEST", 3)])
def test_an_answer_without_end_is_left(cluster, monkeypatch, limit, value):
    monkeypatch.setattr(f"components.export.run_facts.{limit}", value)
    cluster.answer = (200, b"[" * 40)
    cluster.seconds = 0.02  # for each byte
    assert cluster.told("FAILED") == [f"dcgan: {WORKFLOW} ended as FAILED; run 0a1b"]


def test_a_name_stays_in_its_line(cluster):
    cluster.gives("out-of-memory", display_name="one\n[notify] error 3: x")
    assert cluster.told("FAILED") == ["dcgan: one [notify] error 3: x failed in train; run 0a1b"]
