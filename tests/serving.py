"""A model server that answers as TensorFlow Serving's REST API does, in a process of its own.

TensorFlow Serving comes as a container image or for Ubuntu alone, so the tests cannot count on
it. This one loads the real SavedModel and keeps to the documented rules
(https://www.tensorflow.org/tfx/serving/api_rest) and to the messages in its source
(util/json_tensor.cc, model_servers/http_rest_api_handler.cc): the newest version answers, a
request is in rows (`instances`) or columns (`inputs`), and so is its answer (`predictions`,
`outputs`); numbers must be of the input's type; an output of one name is given without it;
strings under a name that ends in `_bytes` go as base64; errors are {"error": …}.
"""

import base64
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.ports import free_port, listens

_PREDICT = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:predict")
_STATUS = re.compile(r"/v1/models/([^/:]+)")


@contextlib.contextmanager
def serving(name: str, base_path: Path) -> Iterator[str]:
    """Serve the newest version of a published model; yields the server's address."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.serving", name, str(base_path), str(port)],
        cwd=Path(__file__).parents[1], stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            deadline = time.monotonic() + 100
            while not listens(port):
                assert process.poll() is None, "the model server ended"
                assert time.monotonic() < deadline, "the model server does not listen"
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


class Refusal(Exception):
    """An answer that is no success."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Model:
    """The newest version under a base path."""

    def __init__(self, name, base_path):
        import tensorflow as tf

        self.name = name
        self.version = max(int(path.name) for path in base_path.iterdir() if path.name.isdecimal())
        self._loaded = tf.saved_model.load(str(base_path / str(self.version)))
        self._tf = tf

    def predict(self, name, version, body):
        if name != self.name or version not in (None, str(self.version)):
            wanted = f"Specific({name}, {version})" if version else f"Latest({name})"
            raise Refusal(404, f"Servable not found for request: {wanted}")
        try:
            asked = json.loads(body)
        except ValueError as error:
            raise Refusal(400, f"JSON Parse error: {error}") from None
        signature = asked.get("signature_name") or "serving_default"
        if signature not in self._loaded.signatures:
            raise Refusal(400, f'Serving signature name: "{signature}" not found in signature def')
        function = self._loaded.signatures[signature]
        specs = function.structured_input_signature[1]
        if "instances" in asked:
            values = _columns(asked["instances"], specs)
        elif "inputs" in asked:
            values = _named(asked["inputs"], specs)
        else:
            raise Refusal(400, "Missing 'inputs' or 'instances' key")
        inputs = {key: self._tensor(values[key], specs[key]) for key in specs}
        try:
            outputs = function(**inputs)
        except self._tf.errors.InvalidArgumentError as error:
            raise Refusal(400, error.message) from None
        return _answer(outputs, in_rows="instances" in asked)

    def _tensor(self, value, spec):
        kinds = {
            self._tf.int32: (int,), self._tf.float32: (int, float), self._tf.string: (str,)
        }[spec.dtype]  # fmt: skip
        for number in _leaves(value):
            if type(number) not in kinds:
                said = f"JSON Value: {json.dumps(number)} is not of expected type: "
                raise Refusal(400, said + spec.dtype.name)
        tensor = self._tf.constant(value, spec.dtype)
        if not spec.shape.is_compatible_with(tensor.shape):
            raise Refusal(400, f"shape {tensor.shape} of {spec.name} is not {spec.shape}")
        return tensor


def _leaves(value):
    return [leaf for part in value for leaf in _leaves(part)] if type(value) is list else [value]


def _named(values, specs):
    """Values of each input; one alone may come without its name."""
    if type(values) is not dict:
        if len(specs) > 1:
            raise Refusal(400, "inputs is a plain value/list, but expecting an object")
        return dict.fromkeys(specs, values)
    for name in specs:
        if name not in values:
            raise Refusal(400, f"Missing named input: {name} in 'inputs' object.")
    return values


def _columns(instances, specs):
    rows = [_named(row, specs) for row in instances]
    return {name: [row[name] for row in rows] for name in specs}


def _answer(outputs, in_rows):
    columns = {
        name: _json_of(tensor.numpy().tolist(), name.endswith("_bytes"))
        for name, tensor in outputs.items()
    }
    single = next(iter(columns.values())) if len(columns) == 1 else None
    if not in_rows:
        return {"outputs": columns if single is None else single}
    if single is not None:
        return {"predictions": single}
    rows = zip(*columns.values(), strict=True)
    return {"predictions": [dict(zip(columns, row, strict=True)) for row in rows]}


def _json_of(value, as_base64):
    if type(value) is list:
        return [_json_of(part, as_base64) for part in value]
    if type(value) is bytes:
        return {"b64": base64.b64encode(value).decode()} if as_base64 else value.decode()
    return value


class Handler(BaseHTTPRequestHandler):
    """Routes of one model."""

    model: Model

    def do_GET(self):
        if not (match := _STATUS.fullmatch(self.path)) or match[1] != self.model.name:
            return self._send(404, {"error": f"Could not find any versions of model {self.path}"})
        status = {"version": str(self.model.version), "state": "AVAILABLE"}
        return self._send(200, {"model_version_status": [status]})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not (match := _PREDICT.fullmatch(self.path)):
            return self._send(400, {"error": f"Malformed request: POST {self.path}"})
        try:
            return self._send(200, self.model.predict(*match.groups(), body))
        except Refusal as refusal:
            return self._send(refusal.status, {"error": str(refusal)})

    def _send(self, status, answer):
        body = json.dumps(answer, indent=1).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    Handler.model = Model(sys.argv[1], Path(sys.argv[2]))
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[3])), Handler).serve_forever()
