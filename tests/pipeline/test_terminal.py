"""What a terminal does is not the work's concern: no width, no encoding, nobody at its end."""

import errno
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.subprocess_runner import run_process
from pipeline.terminal import Terminal, print_line
from tests.broken_pictures import write_broken_pictures

ROOT = Path(__file__).parents[2]
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


def dcgan(*arguments, cwd, **options):
    """Run `dcgan`; with the variables in `env` over this process's own."""
    environment = os.environ | {"COLUMNS": "80", "PYTHONPATH": str(ROOT)} | options.pop("env", {})
    command = [sys.executable, "-m", "pipeline", *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, cwd=cwd, env=environment, check=False, **options)


@pytest.fixture
def broken(tmp_path):
    """The working folder, and in it a folder of pictures that a run refuses in ingest."""
    write_broken_pictures(tmp_path / "broken")
    return tmp_path


def refused_in_ingest(folder):
    """What ran to its end, and wrote all of that to its log."""
    (log,) = (folder / "runs/logs").iterdir()
    text = log.read_text(encoding="utf-8")
    return "[fingerprint] done in" in text and "[ingest] error 3: " in text


@pytest.mark.parametrize("columns", ["12", "0"])
def test_a_terminal_of_any_width_is_written_to(broken, columns):
    done = dcgan("run", "--images", "broken", cwd=broken, env={"COLUMNS": columns})
    assert (done.returncode, refused_in_ingest(broken)) == (3, True), done
    assert b"fingerprint" in done.stdout
    assert done.stderr.startswith(b"error: ingest: ")


@pytest.mark.parametrize("columns", ["12", "0"])
@pytest.mark.parametrize(
    "arguments", [("--help",), ("settings", "train")], ids=["help", "settings"]
)
def test_every_page_is_shown_at_any_width(tmp_path, columns, arguments):
    done = dcgan(*arguments, cwd=tmp_path, env={"COLUMNS": columns})
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 30


def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "wb")


def full_disk():
    return Path("/dev/full").open("wb")


@pytest.mark.parametrize(
    "open_out",
    [closed_pipe, full_disk],
    ids=["closed pipe", "full disk"],
)
def test_a_run_goes_on_where_nothing_can_be_shown(broken, open_out):
    with open_out() as nowhere:
        done = dcgan("run", "--images", "broken", cwd=broken, stdout=nowhere, stderr=nowhere)
    assert (done.returncode, refused_in_ingest(broken)) == (3, True)


def test_a_run_goes_on_without_streams(broken):
    command = f"exec {sys.executable} -m pipeline run --images broken <&- >&- 2>&-"
    done = subprocess.run(
        ["sh", "-c", command], cwd=broken, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    )
    assert (done.returncode, refused_in_ingest(broken)) == (3, True)


def test_a_listing_that_cannot_be_written_is_an_error_in_one_line(tmp_path):
    with full_disk() as full:
        done = dcgan("settings", "train", cwd=tmp_path, stdout=full)
    told = b"error: no space left on the disk: make room, or choose another folder\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_a_listing_for_a_closed_pipe_ends_in_silence(tmp_path):
    with closed_pipe() as nobody:
        done = dcgan("settings", "train", cwd=tmp_path, stdout=nobody)
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "KID 1.0 +- 0.1, 3x3, e..., 4 <= n -> ok, 1/2, ?, Jose"),
        ("iso8859-1", "KID 1.0 ± 0.1, 3×3, e..., 4 <= n -> ok, ½, ?, José"),
        ("iso8859-2", "KID 1.0 +- 0.1, 3×3, e..., 4 <= n -> ok, 1/2, ?, José"),
        ("koi8-r", "KID 1.0 +- 0.1, 3x3, e..., 4 ≤ n -> ok, 1/2, ?, Jose"),
        ("utf-8", "KID 1.0 ± 0.1, 3×3, e…, 4 ≤ n → ok, ½, ☃, José"),
    ],
)
def test_a_sign_that_cannot_be_shown_becomes_a_plain_one(monkeypatch, encoding, shown):
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding=encoding))
    print_line("evaluate", "KID 1.0 ± 0.1, 3×3, e…, 4 ≤ n → ok, ½, ☃, José")
    sys.stdout.flush()
    assert buffer.getvalue().decode(encoding) == f"evaluate {shown}\n"


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(errno.ENOSPC, "No space left"), ValueError("closed")]
)
def test_a_line_is_printed_or_not_but_raises_nothing(monkeypatch, error):
    class Broken(io.StringIO):
        def write(self, _text):
            raise error

    monkeypatch.setattr(sys, "stdout", Broken())
    print_line("train", "epoch 1/3")
    Terminal().say("epoch 1/3")


def test_a_line_that_could_not_be_shown_is_not_said_with_the_next(monkeypatch):
    class FullOnce(io.StringIO):
        is_full = True

        def write(self, text):
            if self.is_full:
                self.is_full = False
                raise OSError(errno.ENOSPC, "No space left")
            return super().write(text)

    monkeypatch.setattr(sys, "stdout", stream := FullOnce())
    terminal = Terminal()
    terminal.say("epoch 1/3")
    terminal.say("epoch 2/3")
    assert stream.getvalue() == "epoch 2/3\n"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_text_is_utf8_whatever_the_locale(broken, encoding, request):
    """In a folder whose name is not ASCII, and with such a picture's name in the log."""
    variables = request.getfixturevalue("latin_1") if encoding == "latin-1" else ASCII
    folder = broken / "José ☃"
    write_broken_pictures(folder / "pictures", "é☃ ")
    (folder / "mine.yaml").write_text("export: {licence: © é}", encoding="utf-8")
    arguments = ("run", "--images", "pictures", "--config", "mine.yaml")
    done = dcgan(*arguments, cwd=folder, env=variables)
    assert (done.returncode, refused_in_ingest(folder)) == (3, True), done
    (log,) = (folder / "runs/logs").iterdir()
    assert "José ☃/pictures" in log.read_text(encoding="utf-8")
    said = done.stderr.decode(encoding)
    assert said.startswith("error: ingest: "), said
    assert {"latin-1": "José ?/pictures", "ascii": "Jose ?/pictures"}[encoding] in said
    listed = dcgan("settings", "export.licence", "--config", "mine.yaml", cwd=folder, env=variables)
    assert {"latin-1": "© é", "ascii": "? e"}[encoding] in listed.stdout.decode(encoding)


def test_what_a_latin_1_terminal_sends_is_text_and_names_files(tmp_path, latin_1):
    mine = os.fsdecode("é/mine.yaml".encode("latin-1"))
    (tmp_path / mine).parent.mkdir()
    (tmp_path / mine).write_text("train: {epochs: 77}")

    def said(command, *options):
        options = [option.encode("latin-1") for option in options]
        done = dcgan(command, "--config", mine, *options, cwd=tmp_path, env=latin_1)
        return (done.stdout + done.stderr).decode("latin-1")

    chosen = ("--set", "export.licence=© é", "--set", "cluster.train.node_selector={a: é}")
    listed = said("settings", *chosen)
    assert re.search(r"export\.licence = © é +--set\n", listed)
    assert re.search(r"node_selector = {a: é} +--set\n", listed)
    assert re.search(r"train\.epochs = 77 +file é/mine\.yaml\n", listed)
    for chosen in (["--images", "é"], ["--set", "images=é"]):
        told = f"error: --images {tmp_path}/é: a name that is no UTF-8 cannot be passed on to"
        assert said("run", *chosen).startswith(told)


def test_what_is_no_text_in_the_locale_is_refused_in_one_line(tmp_path):
    said = dcgan(
        "settings", "--set", b"export.licence=\xe9", cwd=tmp_path, env={"LC_ALL": "C.UTF-8"}
    )
    told = b"error: --set export.licence=\\xe9: is no text in the terminal's encoding, UTF-8"
    assert (said.returncode, said.stderr.splitlines()) == (2, [told])


@pytest.mark.parametrize(
    ("options", "before"),
    [
        (["-X", "utf8=0", "begin.py"], ""),
        (["-E", "begin.py"], ""),
        (["-I", "begin.py"], ""),
        (["-"], ""),
        (["begin.py"], "sys.executable = ''"),
        (["begin.py"], "sys.executable = '/nowhere/python'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_cannot_begin_again_in_utf8_goes_on_without(tmp_path, options, before):
    program = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); os.write(2, b'begun ')\n{before}\n"
        "from pipeline.__main__ import main; main()"
    )
    (tmp_path / "begin.py").write_text(program)
    done = subprocess.run(
        [sys.executable, *options, "settings", "train.flip"], cwd=tmp_path, env=os.environ | ASCII,
        input=program.encode(), capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"begun ")
    assert b"  train.flip = false" in done.stdout


def test_the_library_needs_no_utf8_either(broken):
    """It cannot begin its process again, as the command does."""
    code = "import pipeline; pipeline.run('broken', config='mine.yaml')"
    (broken / "mine.yaml").write_text("export: {licence: © ☃}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=broken, check=False, capture_output=True,
        env=os.environ | ASCII | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert b"components.shared.errors.DataRefused: ingest: " in done.stderr
    assert b"fingerprint broken: 60 files" in done.stdout
    assert refused_in_ingest(broken)


@pytest.mark.parametrize("encoding", ["iso8859-1", "ascii"])
def test_the_library_refuses_a_folder_that_tensorflow_would_look_for_elsewhere(
    tmp_path, encoding, request
):
    variables = ASCII if encoding == "ascii" else request.getfixturevalue("latin_1")
    (tmp_path / "José").mkdir()
    for option in ("runs_dir", "publish_root"):
        places = {"runs_dir": b"r", "publish_root": b"p"} | {option: "José".encode()}
        code = (
            "import os, pipeline\n"
            f"pipeline.run(**{{name: os.fsdecode(place) for name, place in {places}.items()}})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True,
            env=os.environ | variables | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        said = done.stderr.decode("latin-1").splitlines()[-1]
        assert said.startswith(f"components.shared.errors.UsageError: --{option.replace('_', '-')}")
        told = f"this Python for {encoding}: set PYTHONUTF8=1 before Python starts"
        assert said.endswith(f"TensorFlow takes its name for UTF-8, and {told}")
    assert not list(tmp_path.rglob("logs"))


def test_what_a_step_says_is_read_whatever_it_is(capfd):
    said = b"\xff\xfe \xe2\x80\xa6\n"
    code = f"import os; os.write(1, {said!r}); os.write(2, b'end'); raise SystemExit(7)"
    assert run_process([sys.executable, "-c", code], {"LC_ALL": "C"}) == 7
    assert capfd.readouterr().out == "\ufffd\ufffd …\nend"
