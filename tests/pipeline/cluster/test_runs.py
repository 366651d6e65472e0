"""`dcgan runs`: what is found, and what a person is told when nothing is."""

import io
import uuid

import pytest
from rich.console import Console

from pipeline.cluster.runs import Task
from pipeline.cluster.show import Progress
from tests.pipeline.cluster.conftest import options

IMAGES = ("--images", "/dcgan/pictures")


@pytest.mark.cluster
@pytest.mark.parametrize("command", ["show", "stop", "logs"])
def test_unknown_run(dcgan, at, command):
    done = dcgan("runs", command, f"none-{uuid.uuid4()}", *at, code=2)
    assert "see `dcgan runs list`" in done.err
    identity = str(uuid.uuid4())
    assert "not found" in dcgan("runs", command, identity, *at, code=2).err


def test_unknown_task(dcgan, contract):
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    done = dcgan("runs", "logs", "one", "trian", *options(contract.url), code=2)
    assert "no task 'trian': choose one of fingerprint, ingest" in done.err


def test_run_may_be_named_by_its_id(dcgan, contract):
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (identity,) = contract.runs
    assert "run one: " in dcgan("runs", "show", identity, *options(contract.url)).out


def test_of_two_runs_of_one_name_the_newest_is_meant(dcgan, contract):
    for experiment in ("a", "b"):
        dcgan(
            "submit", *IMAGES, "--name", "one",
            *options(contract.url, f"cluster.experiment={experiment}"),
        )  # fmt: skip
    newest = list(contract.runs)[-1]
    assert newest in dcgan("runs", "show", "one", *options(contract.url)).out


@pytest.mark.parametrize("fault", [{"status": 503}, {}])
def test_stop_is_carried_out_once_though_its_answer_is_lost(dcgan, contract, fault):
    """The second try is refused by a real server: it is no longer running."""
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    contract.fail(":terminate", after=True, **fault)
    assert "run one: being stopped" in dcgan("runs", "stop", "one", *options(contract.url)).out
    (run,) = contract.runs.values()
    assert [line.endswith(":terminate") for line in contract.requests].count(True) == 2
    assert "CANCELING" in [change["state"] for change in run["state_history"]]


def test_log_of_all_tries(dcgan, contract):
    contract.phases = [("RUNNING", {"fingerprint": "SUCCEEDED", "train": "RUNNING"})]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (run,) = contract.runs.values()
    workflow = f"dcgan-{run['run_id'][:5]}"
    contract.logs[f"{workflow}-system-container-impl-10"] = b"[train] epoch 1"
    contract.logs[f"{workflow}-system-container-impl-11"] = b"[train] epoch 2\n"
    contract.logs[f"{workflow}-system-container-impl-01"] = b"[fingerprint] done\n"
    out = dcgan("runs", "logs", "one", *options(contract.url)).out
    assert out == "[train] epoch 1\n[train] epoch 2\n"


def test_log_through_the_uis_server(dcgan, contract, monkeypatch):
    """It passes most of the API on, but answers any other path by its own page."""
    contract.phases = [("RUNNING", {"train": "RUNNING"})]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (run,) = contract.runs.values()
    pod = f"dcgan-{run['run_id'][:5]}-system-container-impl-01"
    contract.logs[pod] = b"[train] epoch 1\n"
    contract.is_ui = True
    assert dcgan("runs", "logs", "one", *options(contract.url)).out == "[train] epoch 1\n"


def test_on_a_terminal_the_table_is_renewed_in_place():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    with Progress(console) as progress:
        progress.show([Task("fingerprint", "running", None)])
        progress.show([Task("fingerprint", "succeeded", 61), Task("ingest", "running", None)])
    last = screen.getvalue().rpartition("took")[2]
    assert "succeeded" in last
    assert "0:01:01" in last
    assert "ingest" in last
