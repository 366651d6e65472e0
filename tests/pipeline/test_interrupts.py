"""Ctrl-C at any moment is one line and 130, while Python imports as well."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Presses Ctrl-C when a module is imported; some modules then raise what they like.
PRESS = """
import os, signal, sys
class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == {name!r}:
            sys.meta_path.remove(Finder)
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except KeyboardInterrupt:
                {then}
sys.meta_path.insert(0, Finder)
"""


@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("typer", ["--help"]),
        ("pipeline.cli", ["run"]),
        ("pipeline.local", ["run"]),
        ("kfp", ["run"]),
        ("pipeline.settings", ["settings"]),
        ("tensorflow", ["sample", "--model", "."]),
        ("kfp_server_api", ["compile", "-o", "x.yaml", "--images", "/dcgan/x"]),
    ],
)
@pytest.mark.parametrize("then", ["raise", "raise ImportError('initialization failed') from None"])
def test_ctrl_c_during_imports_is_one_line(tmp_path, module, command, then):
    (tmp_path / "saved_model.pb").touch()
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(PRESS.format(name=module, then=then))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *command],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": f"{hidden}:{ROOT}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 130, done.stderr
    assert done.stderr in {
        "error: stopped\n", "error: stopped; the same command goes on from there\n"
    }  # fmt: skip
    assert done.stdout == ""
