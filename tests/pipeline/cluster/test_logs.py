"""`dcgan runs logs`: each try once, in order, and as it grows."""

import datetime
import re

import pytest

from pipeline.cluster import runs
from pipeline.cluster.outputs import _new_in
from tests.pipeline.cluster.conftest import IMAGES, each_layout, options
from tests.pipeline.cluster.contract_argo import Nodes, argo_rows, node_id, pod_name

BEFORE = {"fingerprint": "SUCCEEDED"}


def start(dcgan, contract, *phases):
    """A run whose tasks go on with each look."""
    contract.phases = [(state, {**BEFORE, **tasks}) for state, tasks in phases]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (run,) = contract.runs.values()
    return run


@each_layout
def test_log_of_all_tries(dcgan, contract, layout):
    run = start(dcgan, contract, ("RUNNING", {"train": "RUNNING"}))
    contract.logs[contract.pod_of(run, "train", 0)] = b"[train] epoch 1"
    contract.logs[contract.pod_of(run, "train", 1)] = b"[train] epoch 2\n"
    contract.logs[contract.pod_of(run, "fingerprint")] = b"[fingerprint] done\n"
    out = dcgan("runs", "logs", "one", *options(contract.url)).out
    only = layout.endswith("no retries")  # both are then the same pod
    assert out == ("[train] epoch 2\n" if only else "[train] epoch 1\n[train] epoch 2\n")


@pytest.mark.parametrize("left", ["pods", "workflows", "archive"])
@each_layout
def test_log_through_the_uis_server(dcgan, contract, left):
    """It passes most of the API on, but answers any other path by its own page."""
    run = start(dcgan, contract, ("RUNNING", {"ingest": "RUNNING"}))
    contract.logs[contract.pod_of(run, "ingest")] = b"[ingest] 12 files\n"
    contract.is_ui, contract.logs.left = True, left
    out = dcgan("runs", "logs", "one", "ingest", *options(contract.url)).out
    assert out == "[ingest] 12 files\n"


@pytest.mark.parametrize("left", ["pods", "archive"])
def test_log_of_a_task_that_the_cluster_alone_has_tried_again(dcgan, contract, left):
    """Its template is that of a task without retries, though Argo counts its tries."""
    run = start(dcgan, contract, ("RUNNING", {"train": "RUNNING"}))
    node = node_id(Nodes(run["run_id"], contract.layout).pod("train"))
    contract.logs[pod_name(node, "system-container-impl")] = b"[train] epoch 1\n"
    contract.is_ui, contract.logs.left = True, left
    assert dcgan("runs", "logs", "one", *options(contract.url)).out == "[train] epoch 1\n"


def test_log_of_a_task_whose_whole_dag_ran_again(dcgan, contract):
    """Its rows are then there twice, in any order; the newest tells how it is."""
    run = start(dcgan, contract)
    run["_phases"], identity = [], run["run_id"]
    for attempt, log in enumerate((b"[ingest] 12 files\n", b"[ingest] 13 files\n")):
        node = Nodes(identity, contract.layout, dag_try=attempt).pod("ingest")
        contract.logs[pod_name(node_id(node))] = log
    older, newer = (
        argo_rows(identity, {"ingest": state}, contract.layout, attempt)
        for attempt, state in enumerate(("FAILED", "SUCCEEDED"))
    )
    for rows in (older + newer, newer + older):
        run["run_details"] = {"task_details": rows}
        out = dcgan("runs", "logs", "one", "ingest", *options(contract.url)).out
        assert out == "[ingest] 12 files\n[ingest] 13 files\n"
        assert re.search(
            r"ingest +succeeded", dcgan("runs", "show", "one", *options(contract.url)).out
        )


def test_log_of_a_run_that_was_retried_another_day(dcgan, contract, monkeypatch):
    """The retry made the deleted workflow anew, so its archive is under that day."""
    run = start(dcgan, contract, ("RUNNING", {"ingest": "SUCCEEDED"}))
    contract.logs[contract.pod_of(run, "ingest")] = b"[ingest] 12 files\n"
    dcgan("runs", "show", "one", *options(contract.url))
    contract.is_ui, contract.logs.left = True, "archive"
    archived, again = contract.logs.archived, run["state_history"][-1]
    again["update_time"] = "2031-02-03T04:05:06Z"

    day = datetime.date.fromisoformat("2031-02-03")

    def on_that_day(key, namespace, _):
        return archived(key, namespace, day)

    monkeypatch.setattr(contract.logs, "archived", on_that_day)
    out = dcgan("runs", "logs", "one", "ingest", *options(contract.url)).out
    assert out == "[ingest] 12 files\n"


def grow(contract, monkeypatch, run, *parts):
    """Before each look, a try's log grows by one part."""
    answer, left = contract.get_run, list(parts)

    def get_run(run_id):
        if left:
            attempt, part = left.pop(0)
            name = contract.pod_of(run, "train", attempt)
            contract.logs[name] = contract.logs.get(name, b"") + part
        return answer(run_id)

    monkeypatch.setattr(contract, "get_run", get_run)


@pytest.mark.parametrize("is_ui", [False, True])
def test_a_running_task_is_followed_to_its_end(dcgan, contract, monkeypatch, is_ui):
    train = {"train": "RUNNING"}
    run = start(
        dcgan, contract, ("RUNNING", {}), *[("RUNNING", train)] * 4,
        ("RUNNING", {"train": "SUCCEEDED", "evaluate": "RUNNING"}),
    )  # fmt: skip
    contract.is_ui = is_ui
    grow(
        contract, monkeypatch, run, (0, b"[train] epoch 1\n[train] ep"), (0, b"och 2\n"),
        (0, b"killed"), (1, b"[train] epoch 3\n"), (1, b""), (1, b"[train] done"),
    )  # fmt: skip
    out = dcgan("runs", "logs", "one", "-f", *options(contract.url)).out
    assert out == ("[train] epoch 1\n[train] epoch 2\nkilled\n[train] epoch 3\n[train] done\n")
    assert run["state"] == "RUNNING"  # it ended with the task


@pytest.mark.parametrize(
    ("log", "new"),
    [
        ("a\nb\nc\n", "c\n"),
        ("b\nc\n", "c\n"),  # rotated
        ("b\n", ""),
        ("", ""),
        ("time=… argo=true\na\nb\nc\n", "c\n"),  # as the archive has it
        ("x\ny\n", "x\ny\n"),
    ],
)
def test_what_was_shown_is_not_shown_again(log, new):
    assert _new_in(log, "a\nb\n") == new


@pytest.mark.parametrize(
    ("state", "task", "why"),
    [
        ("FAILED", "train", "it did not run, since ingest failed"),
        ("SUCCEEDED", "publish", "it did not run, since the model was not good enough"),
        ("SUCCEEDED", "transform", "it was a cache hit"),
        ("SUCCEEDED", "ingest", "its log is gone"),
        ("RUNNING", "ingest", "its pod has not begun to write"),
        ("RUNNING", "train", "it has not begun"),
    ],
)
def test_why_there_is_no_log(dcgan, contract, state, task, why):
    tasks = {"ingest": state, "transform": "cached"}
    if state == "SUCCEEDED":
        tasks["condition-1"] = "SKIPPED"
    start(dcgan, contract, (state, tasks))
    done = dcgan("runs", "logs", "one", task, *options(contract.url), code=1)
    assert f"no log of {task} in run one: {why}" in done.err


def test_a_page_is_no_log(dcgan, contract):
    run = start(dcgan, contract, ("SUCCEEDED", {"ingest": "SUCCEEDED"}))
    contract.logs[contract.pod_of(run, "ingest")] = b"<html><head><title>Log in</title>"
    done = dcgan("runs", "logs", "one", "ingest", *options(contract.url), code=1)
    assert "no log of ingest in run one" in done.err


def test_following_a_log_that_there_is_none_of(dcgan, contract):
    start(dcgan, contract, ("RUNNING", {}), ("SUCCEEDED", {"train": "cached"}))
    done = dcgan("runs", "logs", "one", "train", "--follow", *options(contract.url), code=1)
    assert "no log of train in run one" in done.err
    assert (
        "no task 'x'" in dcgan("runs", "logs", "one", "x", "-f", *options(contract.url), code=2).err
    )


@pytest.mark.parametrize("command", ["logs one train -f", "show one --wait"])
def test_ctrl_c_ends_the_following_and_not_the_run(dcgan, contract, monkeypatch, command):
    start(dcgan, contract, *[("RUNNING", {"train": "RUNNING"})] * 9)

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "time", type("Time", (), {"sleep": interrupt}))
    done = dcgan("runs", *command.split(), *options(contract.url), code=130)
    assert f"run one goes on; follow it by `dcgan runs {command}`" in done.err
    assert not any(re.search(":terminate", line) for line in contract.requests)
