"""`dcgan watch` and its server, asked as browsers and others ask."""

import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import webbrowser
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from components.shared.errors import UsageError
from pipeline import watch as watching
from pipeline.watch import watch, watch_beside
from tests.pipeline.recording import Recording
from tests.pipeline.test_cli import ROOT, save_pictures

TRAINING = re.compile(r"http://127\.0\.0\.1:(\d+)/")


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    runs_dir = tmp_path_factory.mktemp("runs")
    with Recording(runs_dir) as recording:
        recording.start().epochs(1)
        for place in (recording.folder / "sheets" / "notes.txt", runs_dir / "sheets" / "epoch-1"):
            place.parent.mkdir(exist_ok=True)
            place.write_text("nobody's business")
    return runs_dir


@pytest.fixture
def port(runs_dir):
    """Port of a server beside this process."""
    with watching._Server.open(runs_dir, None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def ask(port, path, **headers):
    """Status, headers and body of an answer; without a Host of ours there is the usual one."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.putrequest("GET", path, skip_host="Host" in headers)
        for name, value in headers.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def seen(port):
    return json.loads(ask(port, "/training.json")[2])


def test_the_page_brings_all_it_needs_and_allows_nothing_else(port):
    status, headers, body = ask(port, "/")
    assert status == 200
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["img-src"] == policy["connect-src"] == "'self'"
    for kind in ("script-src", "style-src"):
        assert re.fullmatch(r"'sha256-[\w+/]{43}='", policy[kind])
    assert re.findall(r"(?:src|href|url)\s*[=(]|@import|//\w[\w.]+", body.decode()) == [
        "src =",  # a sheet's
        "//www.w3.org",  # the name of SVG, which nobody asks for
    ]


def test_sheets_are_kept_by_the_browser_and_what_is_new_is_not(port, runs_dir):
    found = seen(port)
    (epoch, version) = found["sheets"][-1]
    path = f"/sheets/{found['name']}/epoch-000{epoch}.png"
    status, headers, body = ask(port, f"{path}?{version}")
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert "immutable" in headers["Cache-Control"]
    (sheet,) = runs_dir.glob("checkpoints/*/sheets/epoch-0001.png")
    assert body == sheet.read_bytes()
    assert ask(port, "/training.json")[1]["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/sheets/{name}/notes.txt", "/sheets/../epoch-1",
        "/sheets/{name}/../training_state.json", "/sheets/{name}/training_state.json",
        "/sheets/../{name}/sheets/epoch-0001.png", "/sheets/{name}/epoch-0009.png",
        "/sheets/{name}/%2e%2e/metrics.jsonl", "/sheets/{name}/epoch-0001.png/..",
        "/sheets/{name}/epoch-0001.png%00", "//etc/passwd", "/../../etc/passwd", "/checkpoints", "http://127.0.0.1/",
        "/training.json/",
    ],
)  # fmt: skip
def test_only_known_names_are_answered(port, runs_dir, path):
    with socket.create_connection(("127.0.0.1", port), 30) as connection:  # no client mends this
        path = path.format(name=seen(port)["name"])
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert answer.split()[1] in {b"404", b"400"}, answer
    assert answer.endswith((b"nothing here\n", b"</html>\n"))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil",
             "10.0.0.1:{port}", "", None]
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/training.json", "/sheets/x/y"])
def test_a_name_that_was_made_to_lead_here_is_refused(port, host, path):
    status, _, body = ask(port, path, Host=host and host.format(port=port))
    assert (status, body) == (403, b"only by the name localhost\n")


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "localhost:1", "[::1]:1"])
def test_names_of_this_machine_are_answered_also_through_a_tunnel(port, host):
    assert ask(port, "/training.json", Host=host.format(port=port))[0] == 200


def test_a_browser_that_goes_away_is_no_trouble(port, capfd):
    for request in (b"", b"GET /", b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", port), 30) as connection:
                connection.sendall(request)
                reset = struct.pack("ii", 1, 0)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    assert ask(port, "/")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_goes_while_it_is_listed_is_asked_for_again(port, monkeypatch, capfd):
    def gone(_):
        raise FileNotFoundError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(watching, "look", gone)
        assert ask(port, "/training.json")[0] == 503
    assert ask(port, "/training.json")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_it_is_served_to_this_machine_alone(port):
    tables = [Path("/proc/net", name).read_text() for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table.splitlines()]
    listening = [one[1] for one in sockets if one[3] == "0A" and one[1].endswith(f":{port:04X}")]
    assert listening == [f"0100007F:{port:04X}"]


def test_a_port_that_is_taken_is_named_or_the_next_one_is_had(port, tmp_path):
    with watching._Server.open(tmp_path, None) as server:
        assert server.server_address[1] > port
    with pytest.raises(UsageError, match=rf"port {port} is taken on 127.0.0.1: pass another"):
        watch(tmp_path, port, print)


@contextmanager
def command(*arguments, cwd, **environment):
    """`dcgan` in a process and session of its own, which gets Ctrl-C at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", *map(str, arguments)], cwd=cwd, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"COLUMNS": "80", "PYTHONPATH": str(ROOT)} | environment,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)


def test_the_command_ends_by_ctrl_c_in_one_line(runs_dir):
    with command("watch", "--runs-dir", ".", cwd=runs_dir) as process:
        line = process.stdout.readline()
        assert line.startswith("watching . until Ctrl-C: http://127.0.0.1:")
        port = int(TRAINING.search(line)[1])
        assert seen(port)["facts"]["epoch"] == "1"
        with command("watch", "--port", port, cwd=runs_dir) as other:
            out, error = other.communicate()
        assert (other.returncode, out) == (2, "")
        assert error == f"error: port {port} is taken on 127.0.0.1: pass another --port\n"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate()
    assert (process.returncode, error) == (0, "")
    assert out == "stopped watching; a training that is under way goes on\n"


BROWSER = """#!{python}
import pathlib, sys, urllib.request
page = urllib.request.urlopen(sys.argv[1]).read()
pathlib.Path("{out}.partial").write_bytes(page)
pathlib.Path("{out}.partial").rename("{out}")
{end}
"""


@pytest.mark.parametrize("end", ["", "sys.exit(3)"])
def test_a_run_shows_itself_in_the_browser_and_goes_on(tmp_path, end):
    save_pictures(tmp_path / "faces", 40)
    (tmp_path / "browser").write_text(
        BROWSER.format(python=sys.executable, out=tmp_path / "page", end=end)
    )
    (tmp_path / "browser").chmod(0o755)
    arguments = ("run", "--open", "--images", "faces")
    with command(*arguments, cwd=tmp_path, BROWSER=f"{tmp_path}/browser") as process:
        line = process.stdout.readline()
        assert re.fullmatch(r"      watch http://127\.0\.0\.1:\d+/\n", line)
        while not (tmp_path / "page").exists():  # this run would take minutes
            assert process.poll() is None
            time.sleep(0.01)
        assert process.stdout.readline().startswith("fingerprint ")
        os.killpg(process.pid, signal.SIGINT)
        out, error = process.communicate()
    assert b"Learning to draw" in (tmp_path / "page").read_bytes()
    assert "http" not in out
    assert (process.returncode, error) == (
        130, "error: stopped; the same command goes on from there\n"
    )  # fmt: skip


def no_browser():
    raise webbrowser.Error("could not locate runnable browser")


def no_display(url):
    raise OSError(f"no display for {url}")


def test_only_a_browser_with_a_window_or_a_chosen_one_is_shown_the_page(monkeypatch):
    opened = []
    in_terminal, graphical = webbrowser.GenericBrowser("w3m"), webbrowser.BaseBrowser("firefox")
    for browser in (in_terminal, graphical):
        monkeypatch.setattr(browser, "open", opened.append)
    monkeypatch.setattr(webbrowser, "get", lambda: graphical)
    watching._show_in_browser("first")
    monkeypatch.delenv("BROWSER", raising=False)
    monkeypatch.setattr(webbrowser, "get", lambda: in_terminal)
    watching._show_in_browser("second")
    monkeypatch.setenv("BROWSER", "w3m")
    watching._show_in_browser("third")
    assert opened == ["first", "third"]
    monkeypatch.setattr(in_terminal, "open", no_display)
    watching._show_in_browser("fourth")
    monkeypatch.setattr(webbrowser, "get", no_browser)
    watching._show_in_browser("fifth")


def test_where_no_port_is_free_a_run_says_so_and_goes_on(port, tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "FIRST_PORT", port)
    monkeypatch.setattr(watching, "_PORTS", 1)
    said = []
    watch_beside(tmp_path, said.append)
    taken = f"ports {port} to {port} are taken on 127.0.0.1"
    assert said == [f"{taken}: watch by dcgan watch --port N"]
