"""`dcgan runs`: what is found, and what a person is told when nothing is."""

import io
import re
import uuid

import pytest
from kfp_server_api import V2beta1Run, V2beta1RuntimeStatus
from rich.console import Console

from pipeline.cluster.show import Progress
from pipeline.cluster.tasks import Task, state_of
from tests.pipeline.cluster.conftest import IMAGES, options


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


def test_a_run_that_was_stopped_and_retried_and_fails_has_failed():
    """So says its history; a retry of a stopped run is the server's own pages' to start."""
    states = ["RUNNING", "CANCELING", "FAILED", "RUNNING", "FAILED"]
    history = [V2beta1RuntimeStatus(state=state) for state in states]
    assert state_of(V2beta1Run(state="FAILED", state_history=history)) == "FAILED"
    assert state_of(V2beta1Run(state="FAILED", state_history=history[:3])) == "CANCELED"


def failed(contract, dcgan):
    contract.phases = [("FAILED", {"fingerprint": "SUCCEEDED", "ingest": "FAILED"})]
    dcgan("submit", *IMAGES, "--name", "one", "--wait", *options(contract.url), code=1)
    (run,) = contract.runs.values()
    going_on = ("RUNNING", {"ingest": "RUNNING"})
    run["_phases"] = [going_on, going_on, ("SUCCEEDED", {"ingest": "SUCCEEDED"})]
    return run


@pytest.mark.parametrize("fault", [None, {"status": 503}, {}])
def test_a_failed_run_is_retried_once_though_the_answer_is_lost(dcgan, contract, fault):
    run = failed(contract, dcgan)
    if fault is not None:
        contract.fail(":retry", after=True, **fault)
    out = dcgan("runs", "retry", "one", "--wait", *options(contract.url)).out
    assert "run one: goes on\n" in out
    assert "ingest running\n" in out
    assert out.endswith("run one: succeeded\n")
    assert [change["state"] for change in run["state_history"]].count("FAILED") == 1
    assert [line.endswith(":retry") for line in contract.requests].count(True) == 1


def test_a_retried_run_that_fails_again_at_once_is_not_retried_twice(dcgan, contract, monkeypatch):
    run = failed(contract, dcgan)
    retry = contract.retry_run

    def retry_then_fail(run_id):
        retry(run_id)
        contract._enter(run, "FAILED")
        return {}

    monkeypatch.setattr(contract, "retry_run", retry_then_fail)
    contract.fail(":retry", after=True, status=503)
    assert "run one: goes on" in dcgan("runs", "retry", "one", *options(contract.url)).out
    assert [line.endswith(":retry") for line in contract.requests].count(True) == 1


@pytest.mark.parametrize(
    ("state", "word"),
    [("RUNNING", "running"), ("SUCCEEDED", "succeeded"), ("CANCELED", "stopped; `dcgan submit`")],
)
def test_only_what_failed_is_retried(dcgan, contract, state, word):
    contract.phases = [(state, {})]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    done = dcgan("runs", "retry", "one", *options(contract.url), code=2)
    said, _, advice = word.partition(";")
    assert f"run one is {said}: only one that failed can be retried{advice and ';'}" in done.err
    assert not any(line.endswith(":retry") for line in contract.requests)


def test_list_says_which_schedule_a_run_belongs_to(dcgan, contract):
    dcgan("submit", *IMAGES, "--name", "by-hand", *options(contract.url))
    (run,) = contract.runs.values()
    trigger = {"cron_schedule": {"cron": "0 0 3 * * 1"}}
    keys = ("experiment_id", "pipeline_version_reference", "runtime_config")
    for name in ("weekly-retraining-of-the-faces", "deleted-since-last-spring"):
        job = {key: run[key] for key in keys} | {"display_name": name, "trigger": trigger}
        contract.create_recurring({**job, "max_concurrency": "1", "mode": "ENABLE"})
    for identity in list(contract.recurring):
        contract.fire(identity)
    contract.delete_recurring(identity, {"propagation_policy": "ORPHAN"})
    before = len(contract.requests)
    lines = dcgan("runs", "list", *options(contract.url)).out.splitlines()
    assert max(map(len, lines)) <= 80
    columns = [re.split(r"  +", line) for line in lines if "pending" in line]
    whole = [run["display_name"] for run in contract.runs.values()][::-1]
    assert all(
        len(name) > 30 and whole[n].startswith(name) for n, (name, *_) in enumerate(columns[:2])
    )
    schedules = [schedule for _, schedule, *_ in columns]
    assert schedules[0] == "deleted"
    assert "weekly-retraining-of-the-faces".startswith(schedules[1])  # goes on beneath
    assert schedules[2] == "–"
    asked = contract.requests[before:]
    assert asked.count("GET /apis/v2beta1/recurringruns") == 1


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
