"""Runs that a real server of Kubeflow Pipelines 2.17.0 ran, as our commands tell of them."""

import re
from typing import NamedTuple

import pytest

from tests.pipeline.cluster.conftest import options
from tests.pipeline.cluster.contract_argo import RECORDED, node_id, pod_name, recording

STOCK = "(0).root(0)"  # what stands above a task in the name of its node
HANDLED = f"{STOCK}.exit-handler-1(0)"
OLDER = ".root"
_OMITTED = "transform validate train evaluate export compare report collect"
_UNCHANGED = "ingest transform train evaluate export"


class Recorded(NamedTuple):
    """What is right for a run, worked out from its rows and from how it was made."""

    state: str
    code: int
    took: dict  # seconds of what succeeded
    cached: str = ""
    omitted: str = ""
    other: dict = {}  # noqa: RUF012  # state and how long, of the rest
    above: str = STOCK
    tries: dict = {}  # noqa: RUF012  # where there was more than one


RUNS = {
    "data-refused-with-webhook": Recorded(
        "failed", 3, {"fingerprint": 10, "notify": 10},
        omitted=_OMITTED, other={"ingest": "failed 0:01:02"}, above=HANDLED,
    ),
    "driver-failed-in-outage": Recorded(
        "failed", 1,
        {"fingerprint": 10, "validate": 10, "train": 104, "evaluate": 43, "export": 59},
        cached="ingest transform", omitted="report collect", other={"compare": "failed 0:00:10"},
    ),
    "exit-handler-failed": Recorded(
        "succeeded", 0,
        {"fingerprint": 11, "validate": 10, "compare": 21, "report": 10, "collect": 10},
        cached=_UNCHANGED, other={"notify": "stopped 0:02:09"}, above=HANDLED,
    ),
    "image-not-pulled": Recorded(
        "stopped", 130, {}, omitted=f"ingest {_OMITTED}", other={"fingerprint": "stopped 0:01:51"}
    ),
    "lost-pods-retried": Recorded(
        "succeeded", 0,
        {
            "fingerprint": 10, "train": 281, "evaluate": 21, "export": 20, "compare": 20,
            "report": 21, "publish": 10, "collect": 10,
        },
        cached="ingest transform validate", tries={"train": 4},
    ),
    "no-template-defaults-data-refused": Recorded(
        "failed", 3, {"fingerprint": 10}, omitted=_OMITTED,
        other={"ingest": "failed 0:02:52", "notify": "unknown –"},
        above=f"{OLDER}.exit-handler-1", tries={"ingest": 3},
    ),
    "no-template-defaults-succeeded": Recorded(
        "succeeded", 0, {"fingerprint": 10, "publish": 10, "collect": 10},
        cached=f"{_UNCHANGED} validate compare report", above=OLDER,
    ),
    "not-blessed": Recorded(
        "succeeded", 0,
        {
            "fingerprint": 10, "validate": 10, "evaluate": 21, "export": 20, "compare": 11,
            "report": 10, "collect": 10,
        },
        cached="ingest transform train",
    ),
    "out-of-memory": Recorded(
        "failed", 1, {"fingerprint": 10}, cached="ingest transform validate",
        omitted="evaluate export compare report collect", other={"train": "failed 0:00:51"},
    ),
    "retried-by-server": Recorded(
        "succeeded", 0,
        {
            "fingerprint": 10, "validate": 11, "train": 20, "evaluate": 30, "export": 40,
            "compare": 21, "report": 24, "publish": 10, "collect": 10,
        },
        cached="ingest transform",
    ),
    "scheduled": Recorded(
        "succeeded", 0, {"fingerprint": 10, "publish": 10, "collect": 10},
        cached=f"{_UNCHANGED} validate compare report",
    ),
    "started-from-pages": Recorded(
        "succeeded", 0,
        {"fingerprint": 10, "validate": 10, "compare": 20, "report": 21, "collect": 10},
        cached=_UNCHANGED,
    ),
    "stopped": Recorded(
        "stopped", 130, {"fingerprint": 10}, cached="ingest transform validate",
        omitted="evaluate export compare report collect", other={"train": "stopped 0:06:42"},
        tries={"train": 2},
    ),
    "stopped-with-webhook": Recorded(
        "stopped", 130, {"notify": 10}, omitted=f"ingest {_OMITTED}",
        other={"fingerprint": "stopped 0:00:10"}, above=HANDLED,
    ),
    "succeeded": Recorded(  # the root DAG failed once, and ran again
        "succeeded", 0,
        {
            "fingerprint": 10, "ingest": 21, "transform": 20, "validate": 20, "train": 31,
            "evaluate": 22, "export": 21, "compare": 10, "report": 10, "publish": 10,
            "collect": 10,
        },
        above="(1).root(0)",
    ),
    "timed-out": Recorded(
        "failed", 1, {"fingerprint": 11}, cached="ingest transform validate",
        omitted="evaluate export compare report collect", other={"train": "failed 0:01:52"},
    ),
    "unchanged-second": Recorded(
        "succeeded", 0,
        {
            "fingerprint": 10, "validate": 10, "compare": 10, "report": 33, "publish": 21,
            "collect": 10,
        },
        cached=_UNCHANGED,
    ),
}  # fmt: skip
WITHHELD = ("exit-handler-failed", "not-blessed", "started-from-pages")
# What the steps, the launcher and the driver logged, and what Kubernetes said of the pod.
REFUSED = "[ingest] error 3: no pictures in /dcgan/bad"
GLOG = "F1128 15:42:08.123456      17 main.go:61] failed to execute component: exit status"
LAST_WORDS = {
    "data-refused-with-webhook": f"{REFUSED}\n{GLOG} 3\n",
    "no-template-defaults-data-refused": f"{REFUSED}\n{GLOG} 3\n",
    "out-of-memory": f"[train] epoch 1/50\n{GLOG} 137\n",
    "timed-out": "[train] error 143: stopped by SIGTERM; the same command goes on\n",
    "driver-failed-in-outage": "F1128 15:10:58.1  9 main.go:79] KFP driver: connection refused\n",
}
WHY = {
    "data-refused-with-webhook": "ingest: no pictures in /dcgan/bad",
    "no-template-defaults-data-refused": "ingest: no pictures in /dcgan/bad",
    "out-of-memory": (
        "train: killed by signal 9, as where memory runs out: raise cluster.train.memory"
    ),
    "timed-out": "train: past its time: raise cluster.train.timeout_minutes",
    "driver-failed-in-outage": "compare: KFP driver: connection refused",
}


def pod(run, above, task, attempt=0):
    """Name of a pod, from the whole name of its node."""
    child = next(
        child["pod_name"]
        for row in run["run_details"]["task_details"]
        for child in row.get("child_tasks", ())
    )
    workflow, again = child.rpartition("-")[0], "(0)" if "(" in above else ""
    if task == "publish":
        above = f"{above}.condition-1{again}"
    if task == "notify":
        above = f"{above.removesuffix('(0)')}.onExit{again}"
    if task.endswith("-driver"):
        node = node_id(f"{workflow}{above}.{task}{again}")
        return pod_name(node, "system-container-driver")
    return pod_name(node_id(f"{workflow}{above}.{task}{again}.executor({attempt})"))


def log_everything(contract, name):
    """Give each try of each task that ran a log, and the failed one its last words."""
    run, right = recording(name), RUNS[name]
    for task in [*right.took, *right.other]:
        for attempt in range(right.tries.get(task, 1)):
            contract.logs[pod(run, right.above, task, attempt)] = (
                f"[{task}] try {attempt}\n".encode()
            )
    if name in LAST_WORDS:
        failed = next(task for task, state in right.other.items() if state.startswith("failed"))
        driver = "-driver" if name == "driver-failed-in-outage" else ""
        last = pod(run, right.above, f"{failed}{driver}", right.tries.get(failed, 1) - 1)
        contract.logs.pop(pod(run, right.above, failed), None) if driver else None
        contract.logs[last] = LAST_WORDS[name].encode()
        if name == "timed-out":
            status = {"phase": "Failed", "reason": "DeadlineExceeded"}
            contract.pods[last] = {"metadata": {"name": last}, "status": status}


@pytest.fixture(params=RUNS)
def replayed(request, contract):
    """Name of a recorded run, which the server serves as the UI's does."""
    contract.is_ui = True
    contract.replay(request.param)
    log_everything(contract, request.param)
    return request.param


def test_states_and_times(dcgan, contract, replayed):
    right = RUNS[replayed]
    run = recording(replayed)
    out = dcgan("runs", "show", run["display_name"], *options(contract.url)).out
    shown = dict(re.findall(r"^([a-z]+) +((?:[a-z]+) +(?:[\d:]+|–))", out, re.MULTILINE))
    minutes = {task: f"{took // 60:02}:{took % 60:02}" for task, took in right.took.items()}
    assert {task: re.sub(" +", " ", state) for task, state in shown.items()} == {
        **{task: f"succeeded 0:{took}" for task, took in minutes.items()},
        **dict.fromkeys(right.cached.split(), "cached 0:00:00"),
        **dict.fromkeys(right.omitted.split(), "omitted –"),
        **right.other,
    }
    where = f" in {WHY[replayed]}" if replayed in WHY else ""
    assert f"run {run['display_name']}: {right.state}{where}\n" in out
    assert ("not published: " in out) == (replayed in WITHHELD)


def test_ends(dcgan, contract, replayed, tmp_path):
    right, home = RUNS[replayed], tmp_path / "home"
    run = recording(replayed)
    where = "minio://mlpipeline/v2/artifacts"
    for name, content in (("report", b"<html>"), ("gif", b"GIF89a"), ("metrics", b"{}")):
        contract.objects["minio", "mlpipeline", f"v2/artifacts/{name}"] = content
    lines = [f"[collect] {name} {where}/{name}\n" for name in ("report", "gif", "metrics")]
    if "collect" in right.took:
        contract.logs[pod(run, right.above, "collect")] = "".join(lines).encode()
    done = dcgan(
        "runs", "show", run["display_name"], "--wait", "--fetch", home, *options(contract.url),
        code=right.code,
    )  # fmt: skip
    assert home.exists() == (right.state == "succeeded")
    if replayed in WHY:
        assert f"run {run['display_name']} failed in {WHY[replayed]}\n" in done.err
    if right.state == "stopped":
        assert f"run {run['display_name']} was stopped" in done.err
    blessed = "--wait", "--require-blessed", *options(contract.url)
    code = 5 if replayed in WITHHELD else right.code
    dcgan("runs", "show", run["display_name"], *blessed, code=code)


@pytest.mark.parametrize("server", ["ui", "api"])
@pytest.mark.parametrize("left", ["pods", "workflows", "archive"])
@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("lost-pods-retried", "train"), ("lost-pods-retried", "publish"),
        ("no-template-defaults-data-refused", "ingest"), ("succeeded", "fingerprint"),
        ("data-refused-with-webhook", "notify"), ("scheduled", "collect"), ("stopped", "train"),
    ],
)  # fmt: skip
def test_each_try_is_printed_once(dcgan, contract, server, left, name, task):
    """While the pods live, when they are gone, and when the workflow is."""
    contract.is_ui = server == "ui"
    run, right = contract.replay(name), RUNS[name]
    contract.logs.left = left
    tries = [f"[{task}] try {number}\n" for number in range(right.tries.get(task, 1))]
    for number, log in enumerate(tries):
        contract.logs[pod(run, right.above, task, number)] = log.encode()
    out = dcgan("runs", "logs", run["display_name"], task, *options(contract.url)).out
    assert out == "".join(tries)


def test_each_recording_is_replayed():
    assert {path.stem for path in RECORDED.glob("*.json")} == set(RUNS)
