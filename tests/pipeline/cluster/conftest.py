"""A Kubeflow Pipelines server, and the command line in front of it."""

import os
import re
import sys
from typing import NamedTuple

import pytest
from kfp.dsl import pipeline_task

from pipeline import cli
from pipeline.cluster import runs, server
from tests.pipeline.cluster.contract_argo import LAYOUTS
from tests.pipeline.cluster.contract_server import ContractServer

REAL = os.environ.get("KFP_ENDPOINT")
IMAGES = ("--images", "/dcgan/pictures")
NAMESPACE = os.environ.get("KFP_NAMESPACE", "")  # where that one serves many users


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """Without credentials of whoever runs the tests, and without pauses."""
    if REAL:
        return
    for name in ("KFP_ENDPOINT", "KFP_TOKEN", "KFP_COOKIES", "KF_PIPELINES_SA_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(server, "_PAUSES", (0, 0))
    monkeypatch.setattr(runs, "_POLL_SECONDS", 0)


@pytest.fixture(autouse=True)
def _no_look_at_the_stack(monkeypatch):
    """Without kfp's reading of the whole stack at each setting of a task.

    It wants the name of its caller, for an error that no task here can meet. In a process with
    as many modules as the tests have, this was nine tenths of each command.
    """
    monkeypatch.setattr(
        pipeline_task.PipelineTask, "_ensure_container_spec_exists", lambda task: None
    )


@pytest.fixture
def layout():
    """Of Argo's nodes; `each_layout` has a test run with all."""
    return LAYOUTS[0]


each_layout = pytest.mark.parametrize("layout", LAYOUTS)


@pytest.fixture
def contract(layout):
    """The tests' own server, whose state a test may look at and disturb."""
    server = ContractServer(layout=layout)
    yield server
    server.close()


@pytest.fixture
def host(request):
    """Address of a server: the one that $KFP_ENDPOINT names, else the tests' own."""
    return REAL or request.getfixturevalue("contract").url


@pytest.fixture
def dcgan(monkeypatch, capsys):
    """Run `dcgan`; the error output of a failing one must end in one line."""

    def run(*arguments, code=0):
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "argv", ["dcgan", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        done = Done(ended.value.code or 0, out, err)
        assert done.code == code, done
        lines = [line for line in err.splitlines() if not line.startswith("warning: ")]
        assert len(lines) == (1 if code else 0), err
        assert not code or lines[0].startswith("error: "), err
        return done

    return run


@pytest.fixture
def at(host):
    """Options that name the server and images."""
    return options(host, f"cluster.namespace={NAMESPACE}")


def options(host, *more):
    settings = (f"cluster.host={host}", "cluster.registry=ghcr.io/you", *more)
    return [part for setting in settings for part in ("--set", setting)]


def run_of(done):
    return re.search(r"^run (\S+) ", done.out, re.MULTILINE)[1]
