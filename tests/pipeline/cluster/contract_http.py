"""HTTP in front of the contract server's state: routes, logins, faults."""

import contextlib
import email.parser
import email.policy
import json
import re
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit


class Refusal(Exception):
    """An answer that is no success: HTTP status, gRPC code, message."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


_ROUTES = [
    ("GET", r"/apis/v2beta1/healthz", lambda s, q, b: s.health()),
    ("POST", r"/apis/v2beta1/pipelines", lambda s, q, b: s.create_pipeline(b)),
    ("GET", r"/apis/v2beta1/pipelines", lambda s, q, b: s.list_of(s.pipelines, "pipelines", q)),
    ("POST", r"/apis/v2beta1/pipelines/upload_version", lambda s, q, b: s.upload_version(q, b)),
    (
        "GET", r"/apis/v2beta1/pipelines/([^/]+)/versions",
        lambda s, q, b, i: s.list_of(
            {k: v for k, v in s.versions.items() if v["pipeline_id"] == i},
            "pipeline_versions", q,
        ),
    ),
    ("POST", r"/apis/v2beta1/experiments", lambda s, q, b: s.create_experiment(b)),
    (
        "GET", r"/apis/v2beta1/experiments",
        lambda s, q, b: s.list_of(s.experiments, "experiments", q),
    ),
    ("POST", r"/apis/v2beta1/runs", lambda s, q, b: s.create_run(b)),
    ("GET", r"/apis/v2beta1/runs", lambda s, q, b: s.list_of(s.runs, "runs", q)),
    ("GET", r"/apis/v2beta1/runs/([^/:]+)", lambda s, q, b, i: s.get_run(i)),
    ("POST", r"/apis/v2beta1/runs/([^/:]+):terminate", lambda s, q, b, i: s.terminate_run(i)),
    ("POST", r"/apis/v2beta1/runs/([^/:]+):retry", lambda s, q, b, i: s.retry_run(i)),
    ("POST", r"/apis/v2beta1/recurringruns", lambda s, q, b: s.create_recurring(b)),
    (
        "GET", r"/apis/v2beta1/recurringruns",
        lambda s, q, b: s.list_of(s.recurring, "recurringRuns", q),
    ),
    ("POST", r"/apis/v2beta1/recurringruns/([^/:]+):enable", lambda s, q, b, i: s.switch(i, True)),
    (
        "POST", r"/apis/v2beta1/recurringruns/([^/:]+):disable",
        lambda s, q, b, i: s.switch(i, False),
    ),
    (
        "DELETE", r"/apis/v2beta1/recurringruns/([^/:]+)",
        lambda s, q, b, i: s.delete_recurring(i, q),
    ),
    ("GET", r"/apis/v1alpha1/runs/[^/]+/nodes/([^/]+)/log", lambda s, q, b, i: s.logs.get(i)),
    ("GET", r"/k8s/pod/logs", lambda s, q, b: s.pod_log(q)),
    ("GET", r"/k8s/pod", lambda s, q, b: s.pod(q)),
    ("GET", r"/k8s/pod/events", lambda s, q, b: s.pod_events(q)),
    ("GET", r"/artifacts/get", lambda s, q, b: s.artifact(q)),
]  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    contract = None  # the ContractServer that it speaks for
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet; two would wait for each other

    def log_message(self, *args):
        pass

    def do_GET(self):
        self._serve()

    do_POST = do_DELETE = do_GET

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        url = urlsplit(self.path)
        line = f"{self.command} {url.path}"
        with self.contract.lock:
            self.contract.requests.append(line)
            fault = next((one for one in self.contract.faults if one.request.search(line)), None)
            if fault:
                self.contract.faults.remove(fault)
        if fault and not fault.after:
            time.sleep(fault.seconds)
            if not fault.seconds:
                return self._break(fault)
        with self.contract.lock:
            status, answer = self._answer(url, body)
        if fault and fault.after:
            time.sleep(fault.seconds)
            if not fault.seconds:
                return self._break(fault)
        return self._send(status, answer)

    def _break(self, fault):
        if fault.status:
            return self._send(fault.status, {"code": 13, "message": "out of order"})
        self.close_connection = True
        return self.connection.close()

    def _answer(self, url, body):
        try:
            self._check_login(url.path)
            if self.contract.is_ui and url.path.startswith("/apis/v1alpha1/"):
                return 200, "<!doctype html><title>Kubeflow Pipelines</title>"
            if not self.contract.is_ui and not url.path.startswith("/apis/"):
                raise Refusal(404, 5, "Not Found")
            query = dict(parse_qsl(url.query))
            for method, path, act in _ROUTES:
                match = re.fullmatch(path, url.path)
                if match and method == self.command:
                    return 200, act(self.contract, query, self._parse(body), *match.groups())
            raise Refusal(404, 5, "Not Found")
        except Refusal as refusal:
            if refusal.code is None:  # uploads have a shape of their own
                return refusal.status, {"error_message": str(refusal), "error_details": ""}
            return refusal.status, {"code": refusal.code, "message": str(refusal), "details": []}

    def _check_login(self, path):
        shown = self.headers.get("authorization"), self.headers.get("cookie")
        wanted = self.contract.token and f"Bearer {self.contract.token}", self.contract.cookie
        if path.endswith("healthz") or all(
            not w or w == s for w, s in zip(wanted, shown, strict=True)
        ):
            return
        if not any(shown):
            raise Refusal(401, 16, "Unauthenticated: no identity header")
        raise Refusal(403, 7, f"PermissionDenied: {shown[0] or shown[1]} may not do this")

    def _parse(self, body):
        kind = self.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            head = f"Content-Type: {kind}\r\n\r\n".encode()
            parts = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
            return next(parts.iter_parts()).get_payload(decode=True)
        return json.loads(body) if body else {}

    def _send(self, status, answer):
        if answer is None:
            status, answer = 500, {"error_message": "Failed to read", "error_details": "gone"}
        kinds = {dict: "application/json", str: "text/html", bytes: "application/octet-stream"}
        if isinstance(answer, dict):
            data = json.dumps(_filled(answer)).encode()
        else:
            data = answer.encode() if isinstance(answer, str) else answer
        self.send_response(status)
        self.send_header("Content-Type", kinds[type(answer)])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # tired of waiting
            self.wfile.write(data)


def _filled(value):
    """Without what is zero or ours, as protojson leaves it out; values of users stay."""
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if isinstance(value, dict):
        return {
            key: item if key in {"parameters", "pipeline_spec"} else _filled(item)
            for key, item in value.items()
            if key[0] != "_" and item not in ("", 0, [])
        }
    return value
