"""`dcgan sample --endpoint`: pictures from a server."""

import base64
import contextlib
import http.server
import json
import socket
import subprocess
import sys
import threading
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

from pipeline import endpoint
from tests.ports import free_port
from tests.serving import serving


@pytest.fixture(scope="module")
def server(published):
    """Address of a server of the published model."""
    with serving("faces", published.parent) as address:
        yield address


def test_an_endpoint_draws_what_the_run_draws(trained, server, draw):
    endpoint = ("--endpoint", f"{server}/v1/models/faces")
    for options in ((), ("--count", 40, "--seed", 3, "--truncation", 0.8), ("--truncation", 0)):
        assert draw(*endpoint, *options) == draw("--model", trained, *options)


@pytest.mark.parametrize("end", ["", "/", ":predict", "/versions/1"])
def test_addresses_of_one_model(server, sample, tmp_path, end):
    sample("--endpoint", f"{server}/v1/models/faces{end}")
    assert (tmp_path / "samples.png").exists()


@pytest.mark.parametrize(
    "address", ["localhost:8501/v1/models/dcgan", "http://localhost:x/v1", "http://a b/", ""]
)
def test_what_is_no_address(sample, address):
    assert "is no address of a model: give e.g. http://" in sample("--endpoint", address, code=2)


def test_an_old_model_that_is_served_is_told_of(old, sample):
    with serving("old", old) as address:
        told = sample("--endpoint", f"{address}/v1/models/old", code=2)
    assert f"the model at {address}/v1/models/old:predict has no signature generate_png" in told


def test_a_name_that_is_not_served_is_told_of(server, sample):
    told = sample("--endpoint", f"{server}/v1/models/cats", code=2)
    assert "no model at" in told
    assert "Servable not found for request: Latest(cats)" in told


def test_a_server_refuses_what_no_model_can_do(server):
    """The client asks for nothing of the kind, but others may."""
    for asked, message in (
        ({"count": 0, "seed": 0, "truncation": 1}, "count must be 1 to 10000"),
        ({"count": 1.5, "seed": 0, "truncation": 1}, "not of expected type: int32"),
        ({"count": 1, "seed": 0}, "Missing named input: truncation"),
    ):
        body = json.dumps({"signature_name": "generate_png", "inputs": asked}).encode()
        with pytest.raises(urllib.request.HTTPError) as refused:
            urllib.request.urlopen(f"{server}/v1/models/faces:predict", body)
        with refused.value as answer:
            assert answer.code == 400
            assert message in json.load(answer)["error"]


def test_latents_can_be_sent_in_rows_and_in_columns(server, published):
    latents = np.random.default_rng(0).normal(size=[2, 6]).tolist()
    answers = []
    for key in ("instances", "inputs"):
        body = json.dumps({key: latents}).encode()
        with urllib.request.urlopen(f"{server}/v1/models/faces:predict", body) as answer:
            answers.append(json.load(answer))
    model = tf.saved_model.load(str(published))
    images = model.signatures["serving_default"](latents=tf.constant(latents))["images"]
    assert answers[0]["predictions"] == answers[1]["outputs"] == images.numpy().tolist()


NO_SIGNATURE = b'{"error": "Serving signature name: \\"classes\\" not found in signature def"}'


@contextlib.contextmanager
def answering(status, body):
    """A server of a model without classes that answers like this; with None, it hangs up."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if status is None:
                return
            of_classes = status == 200 and asked["signature_name"] == "classes"
            self.send_response(400 if of_classes else status)
            self.end_headers()
            self.wfile.write(NO_SIGNATURE if of_classes else body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/models/faces"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


PNG = tf.io.encode_png(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).numpy()


def outputs(*files):
    return json.dumps({"outputs": [{"b64": base64.b64encode(file).decode()} for file in files]})


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (None, "", "cannot reach"),
        (200, "<html>who are you?</html>", "is not 2 pictures"),
        (200, "[]", "is not 2 pictures"),
        (200, '{"outputs": 3}', "is not 2 pictures"),
        (200, outputs(PNG), "is not 2 pictures"),
        (200, outputs(PNG, b"GIF"), "is not 2 pictures"),
        (200, outputs(PNG, PNG[:8]), "is not 2 pictures"),
        (200, outputs(PNG, PNG[:-20]), "is not 2 pictures"),
        (200, outputs(PNG, PNG.replace(b"IDAT", b"IDAX")), "is not 2 pictures"),
        (200, outputs(PNG, PNG[:50] + b"x" + PNG[51:]), "is not 2 pictures"),
        (400, '{"error": "{{function_node generate_png_7}} failed"}', "answered HTTP 400"),
        (403, "who are you?", "answered HTTP 403: Forbidden"),
        (503, '{"error": "busy\\nnow"}', "answered HTTP 503: busy now"),
        (504, '{"error": "Timed out"}', "HTTP 504: Timed out): ask for fewer"),
        (500, json.dumps({"error": "long" * 1000}), "HTTP 500: longlong"),
    ],
)
def test_what_is_no_answer_of_pictures_is_one_line(sample, status, body, message):
    with answering(status, body.encode()) as address:
        told = sample("--endpoint", address, "--count", 2, code=1)
    assert message in told
    assert len(told) < 500


def test_a_server_that_is_not_there(sample):
    address = f"http://127.0.0.1:{free_port()}/v1/models/faces"
    told = sample("--endpoint", address, code=1)
    assert told.startswith(f"error: cannot reach {address}:predict: Connection refused")


@pytest.mark.parametrize(
    "address", ["http://localhost/v1/models/m\u00f6p", f"http://{'a' * 70}/v1"]
)
def test_an_address_that_cannot_be_asked(sample, address):
    assert f"error: cannot reach {address}:predict: " in sample("--endpoint", address, code=1)


def test_a_server_that_never_answers(sample, monkeypatch):
    monkeypatch.setattr(endpoint, "_TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # takes connections, and no more
        port = mute.getsockname()[1]
        told = sample("--endpoint", f"http://127.0.0.1:{port}/v1/models/faces", code=1)
    assert "within 0.2 s: ask for fewer pictures" in told


def test_an_endpoint_is_asked_without_loading_tensorflow(server, tmp_path):
    code = (
        "import sys; from pipeline import cli; cli.app(standalone_mode=False);"
        "assert 'tensorflow' not in sys.modules"
    )
    options = ("--endpoint", f"{server}/v1/models/faces", "--out", tmp_path / "grid.png")
    subprocess.run([sys.executable, "-c", code, "sample", *options], check=True)
    assert (tmp_path / "grid.png").exists()
