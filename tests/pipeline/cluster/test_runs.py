"""`dcgan runs`: what is found, and what a person is told when nothing is."""

import io
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from kfp_server_api import (
    V2beta1PipelineTaskDetail,
    V2beta1Run,
    V2beta1RunDetails,
    V2beta1RuntimeStatus,
)
from rich.console import Console

from pipeline.cluster.runs import Task, state_of, tasks_of
from pipeline.cluster.show import Progress
from tests.pipeline.cluster.conftest import IMAGES, options
from tests.pipeline.cluster.contract_server import pod_of


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


def test_stop_comes_too_late(dcgan, contract, monkeypatch):
    """The run ends between our look and our request."""
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    terminate = contract.terminate_run

    def end_then_refuse(run_id):
        contract._enter(contract.runs[run_id], "SUCCEEDED")
        return terminate(run_id)

    monkeypatch.setattr(contract, "terminate_run", end_then_refuse)
    done = dcgan("runs", "stop", "one", *options(contract.url))
    assert done.out == "run one: succeeded already\n"


def test_stop_is_refused(dcgan, contract):
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    contract.phases = [("RUNNING", {})] * 9
    contract.runs[next(iter(contract.runs))]["_phases"] = [("RUNNING", {})] * 9
    contract.fail(":terminate", status=400)
    assert "(400): refused" in dcgan("runs", "stop", "one", *options(contract.url), code=2).err


def test_a_run_that_succeeds_though_it_was_to_stop_has_succeeded():
    asked = V2beta1RuntimeStatus(state="CANCELING")
    assert state_of(V2beta1Run(state="SUCCEEDED", state_history=[asked])) == "SUCCEEDED"
    assert state_of(V2beta1Run(state="FAILED", state_history=[asked])) == "CANCELED"
    assert state_of(V2beta1Run(state="FAILED")) == "FAILED"
    assert state_of(V2beta1Run()) == "PENDING"


def test_a_stop_that_only_we_have_seen_is_one(dcgan, contract, monkeypatch):
    """The server need not write it down."""
    enter = contract._enter

    def forget(run, state):
        enter(run, state)
        if state == "CANCELING":
            run["state_history"].pop()

    monkeypatch.setattr(contract, "_enter", forget)
    contract.phases = [("RUNNING", {}), ("CANCELING", {})]
    dcgan("submit", *IMAGES, "--wait", *options(contract.url), code=130)


def test_a_pod_of_another_time_is_not_a_tasks_own():
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def row(name, state, minutes):
        start = noon + timedelta(minutes=minutes)
        return V2beta1PipelineTaskDetail(
            display_name=name, state=state, start_time=start, end_time=start
        )

    rows = [
        row("train", "SUCCEEDED", 0),
        row("export", "SUCCEEDED", 9),
        row("executor", "SKIPPED", 9),
    ]
    run = V2beta1Run(run_details=V2beta1RunDetails(task_details=rows))
    assert [(task.name, task.state) for task in tasks_of(run)] == [
        ("train", "succeeded"),
        ("export", "cached"),
    ]


def test_log_of_all_tries(dcgan, contract):
    contract.phases = [("RUNNING", {"fingerprint": "SUCCEEDED", "train": "RUNNING"})]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (run,) = contract.runs.values()
    contract.logs[pod_of(run["run_id"], "train", 0)] = b"[train] epoch 1"
    contract.logs[pod_of(run["run_id"], "train", 1)] = b"[train] epoch 2\n"
    contract.logs[pod_of(run["run_id"], "fingerprint")] = b"[fingerprint] done\n"
    out = dcgan("runs", "logs", "one", *options(contract.url)).out
    assert out == "[train] epoch 1\n[train] epoch 2\n"


def test_log_through_the_uis_server(dcgan, contract, monkeypatch):
    """It passes most of the API on, but answers any other path by its own page."""
    contract.phases = [("RUNNING", {"train": "RUNNING"})]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (run,) = contract.runs.values()
    contract.logs[pod_of(run["run_id"], "train")] = b"[train] epoch 1\n"
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
