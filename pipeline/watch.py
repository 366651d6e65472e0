"""A page about the training under way, served on loopback to browsers of this machine."""

import base64
import contextlib
import errno
import hashlib
import json
import os
import re
import socketserver
import sys
import threading
import webbrowser
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from components.evaluate.page import render_page
from components.shared.errors import UsageError
from pipeline.look import look, read_sheet

FIRST_PORT = 8765
_PORTS = 100  # that are tried, from the first on
_ADDRESS = "127.0.0.1"
_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")  # as a browser names it


def watch(runs_dir: Path, port: int | None, say: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C.

    Args:
        runs_dir: Parent of all runs; need not be there yet.
        port: To listen on; None for the first free one.
        say: Called with the page's address.

    Raises:
        UsageError: The port cannot be had.
    """
    with contextlib.suppress(KeyboardInterrupt), _Server.open(runs_dir, port) as server:
        say(server.url)
        server.serve_forever()


def watch_beside(runs_dir: Path, say: Callable[[str], None]) -> None:
    """Serve the page while this process lives, and show it in a browser, where there is one.

    Whatever is in the way of that is said, and raises nothing.

    Args:
        runs_dir: Parent of all runs.
        say: Called with the page's address, or with what is in the way.
    """
    try:
        server = _Server.open(runs_dir, None)
    except UsageError as error:
        say(str(error))
        return
    say(server.url)
    for job in (server.serve_forever, lambda: _show_in_browser(server.url)):
        threading.Thread(target=job, daemon=True, name="watch").start()


def _show_in_browser(url: str) -> None:
    with contextlib.suppress(webbrowser.Error, OSError):
        browser = webbrowser.get()
        # One of these that nobody chose draws in the terminal, over the run's own lines.
        if type(browser) is not webbrowser.GenericBrowser or "BROWSER" in os.environ:
            browser.open(url)


class _Server(ThreadingHTTPServer):
    """Answers each request in a thread of its own, none of which outlives the process."""

    @classmethod
    def open(cls, runs_dir: Path, port: int | None) -> "_Server":
        ports = range(FIRST_PORT, FIRST_PORT + _PORTS) if port is None else [port]
        for number in ports:
            try:
                return cls(runs_dir, number)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise UsageError(
                        f"cannot listen on {_ADDRESS}:{number} ({error.strerror}): pass another "
                        "--port"
                    ) from error
        if port is not None:
            raise UsageError(f"port {port} is taken on {_ADDRESS}: pass another --port")
        raise UsageError(
            f"ports {ports[0]} to {ports[-1]} are taken on {_ADDRESS}: watch by "
            "dcgan watch --port N"
        )

    def __init__(self, runs_dir: Path, port: int) -> None:
        self.runs_dir = runs_dir
        super().__init__((_ADDRESS, port), _Handler)
        self.url = f"http://{_ADDRESS}:{port}/"
        page = render_page("watch.html.j2")
        self.page = page.encode()
        self.policy = (
            f"default-src 'none'; style-src {_hash_of('style', page)}; "
            f"script-src {_hash_of('script', page)}; img-src 'self'; connect-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def server_bind(self) -> None:
        # HTTPServer's own asks the name service what this machine is called.
        socketserver.TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a browser that went away
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Knows the page, what there is to see, and the sheets by their names."""

    server: _Server
    timeout = 30  # seconds, for a browser that says nothing

    def do_GET(self) -> None:
        """Answer one request."""
        path = self.path.partition("?")[0]
        # A page from elsewhere whose name was made to lead here keeps that name: DNS rebinding.
        if not _LOOPBACK.fullmatch(self.headers.get("Host", "")):
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"only by the name localhost\n")
        elif path == "/":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page)
        elif path == "/favicon.ico":  # which browsers ask for, and miss aloud
            self._answer(HTTPStatus.NO_CONTENT, "image/x-icon", b"")
        elif path == "/training.json":
            self._answer_with_what_is_seen()
        elif (sheet := self._sheet(path)) is not None:
            # The page's address of a sheet changes with it: a browser asks once.
            self._answer(HTTPStatus.OK, "image/png", sheet, "private, max-age=86400, immutable")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"nothing here\n")

    def _answer_with_what_is_seen(self) -> None:
        try:
            seen = json.dumps(look(self.server.runs_dir), allow_nan=False)
        except OSError as error:  # a folder that went while it was listed: the page asks again
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", f"{error}\n".encode())
        else:
            self._answer(HTTPStatus.OK, "application/json", seen.encode())

    def _sheet(self, path: str) -> bytes | None:
        match path.split("/"):
            case ["", "sheets", training, name]:
                return read_sheet(self.server.runs_dir, training, name)
        return None

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, keep: str = "no-store") -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": keep,
            "Content-Security-Policy": self.server.policy,
            "Cross-Origin-Resource-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Leave the terminal to the run."""


def _hash_of(element: str, page: str) -> str:
    """The page's only such element, as a Content-Security-Policy names it."""
    (content,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
