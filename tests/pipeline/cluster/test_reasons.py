"""Why a run failed, what it waits for, why nothing was published: a line each."""

import re

import pytest

from pipeline.cluster.compiling import FIXED_PODS
from pipeline.cluster.config import ClusterConfig
from pipeline.cluster.reasons import SECTIONS
from pipeline.dag import make_dag
from tests.pipeline.cluster.conftest import IMAGES, each_layout, options

GLOG = "F1128 15:42:08.123456      17 main.go:61]"
EARLIER = (
    "[train] error 1: ValueError: no cuDNN\n"
    "[train] ended with 1: beginning again in 10 s (1 of 3)\n"
    "[train] epoch 3/50\n"
)
TERMINATED = "[train] error 143: stopped by SIGTERM; the same command goes on\n"


@pytest.fixture
def failed(dcgan, contract):
    """End a run in a task; gives what the commands say of it."""

    def fail(task, log="", status=None, code=1, state="FAILED", is_ui=True):
        contract.is_ui = is_ui
        contract.phases = [("FAILED", {task.removesuffix("-driver"): state})]
        dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
        (run,) = contract.runs.values()
        pod = contract.pod_of(run, task, int(task == "train"))
        if log:
            contract.logs[pod] = log.encode()
        if status:
            contract.pods[pod] = {"metadata": {"name": pod}, "status": status}
        shown = dcgan("runs", "show", "one", *options(contract.url)).out.splitlines()[-1]
        done = dcgan("runs", "show", "one", "--wait", *options(contract.url), code=code)
        told = done.err.removeprefix("error: run one failed").rstrip("\n")
        assert f"run one: failed{told}".startswith(shown)
        return told

    return fail


def ended(reason):
    return {"containerStatuses": [{"state": {"terminated": {"reason": reason, "exitCode": 1}}}]}


@pytest.mark.parametrize(
    ("log", "status", "code", "told"),
    [
        (
            f"[train] error 4: not finite\n{GLOG} failed to execute component: exit status 4\n",
            ended("Error"), 4, "not finite",
        ),
        (
            f"[train] epoch 3/50\n{GLOG} failed to execute component: exit status 137\n",
            None, 1, "killed by signal 9, as where memory runs out: raise cluster.train.memory",
        ),
        (
            "[train] killed by signal 9: beginning again in 10 s (1 of 1)\n[train] error 137: "
            f"killed by signal 9 in restart 1 of 1\n{GLOG} failed: exit status 137\n",
            ended("OOMKilled"), 1, "killed for memory: raise cluster.train.memory",
        ),
        (
            "[train] error 137: killed by signal 9 in restart 1 of 1\n",
            None, 1, "killed by signal 9, as where memory runs out: raise cluster.train.memory",
        ),
        ("[train] epoch 3/50\n", ended("OOMKilled"), 1, "killed for memory: raise cluster.train"),
        (
            TERMINATED, {"phase": "Failed", "reason": "DeadlineExceeded"}, 1,
            "past its time: raise cluster.train.timeout_minutes",
        ),
        ("", {"phase": "Failed", "reason": "DeadlineExceeded"}, 1, "past its time: raise"),
        (
            TERMINATED, None, 143,
            "stopped by SIGTERM; the same command goes on (evicted, or past its time; for that "
            "raise cluster.train.timeout_minutes)",
        ),
        (
            f"[train] done in 9.0 s, imports 1.0 s\n{GLOG} failed to update task: rpc error\n",
            None, 1, "failed to update task: rpc error",
        ),
        ("", {"phase": "Failed", "message": "The node was low on memory."}, 1, "The node was low"),
        ("Killed\n", None, 1, "see http://localhost"),
        ("[train] error 256: odd\n", None, 1, "odd"),
        (EARLIER, ended("OOMKilled"), 1, "killed for memory: raise cluster.train.memory"),
        (EARLIER, {"reason": "DeadlineExceeded"}, 1, "past its time: raise"),
        (EARLIER, {"message": "The node was low on memory."}, 1, "The node was low"),
        (f"{EARLIER}{GLOG} exit status 137\n", None, 1, "killed by signal 9, as where memory"),
        ("", {"containerStatuses": [None, {"state": {"terminated": "x"}}]}, 1, "see http"),
        ("", "Failure", 1, "see http"),
    ],
)  # fmt: skip
def test_why_a_run_failed(failed, log, status, code, told):
    assert failed("train", log, status, code).startswith(f" in train: {told}")


def test_no_knob_is_named_where_there_is_none(failed):
    log = f"{GLOG} failed to execute component: exit status 137\n"
    assert failed("publish", log) == (
        " in publish: killed by signal 9, as where memory runs out: no setting raises its memory, "
        "which is plenty: see its log"
    )


def test_through_the_api_alone_the_log_tells(failed):
    status = {"phase": "Failed", "reason": "DeadlineExceeded"}
    log = f"{GLOG} failed to execute component: exit status 137\n"
    assert "memory runs out" in failed("train", log, status, is_ui=False)


@each_layout
def test_a_driver_that_failed_is_told_by_its_tasks_name(failed, layout):
    told = failed("compare-driver", f"{GLOG} KFP driver: refused\n", state="driver failed")
    why = "KFP driver: refused" if layout == "2.17.0" else "see http://localhost"
    assert told.startswith(f" in compare: {why}")


def test_a_dag_whose_driver_failed(failed):
    assert failed("root-driver", f"{GLOG} no\n", state="driver failed") == " in root: no"


def test_sections_are_those_of_the_dag():
    placed = {}
    make_dag(lambda task, step: placed.__setitem__(task.name, step), collect_results=True)
    assert {task: step for task, step in placed.items() if task not in FIXED_PODS} == SECTIONS
    assert all(hasattr(ClusterConfig(), section) for section in SECTIONS.values())


def event(reason, message, minute, kind="Warning"):
    time = f"2026-11-28T15:{minute:02}:00Z"
    return {"type": kind, "reason": reason, "message": message, "lastTimestamp": time}


EVENTS = [
    event("FailedScheduling", "0/1 nodes are available:\n no claim [dcgan].", 4),
    event("FailedScheduling", "skip schedule deleting pod", 2),
    event("Pulling", "Pulling image", 9, kind="Normal"),
]
WAITS = "FailedScheduling: 0/1 nodes are available: no claim [dcgan]."


def waiting(dcgan, contract, phase="Pending", events=EVENTS):
    contract.phases = [("RUNNING", {"train": "RUNNING"})] * 3 + [("SUCCEEDED", {})]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (run,) = contract.runs.values()
    pod = contract.pod_of(run, "train", 1)
    if phase:
        contract.pods[pod] = {"metadata": {"name": pod}, "status": {"phase": phase}}
    contract.events[pod] = events


@pytest.mark.parametrize("phase", ["Pending", None])  # None: there is no pod yet
def test_a_waiting_task_says_what_for(dcgan, contract, phase):
    contract.is_ui = True
    waiting(dcgan, contract, phase)
    lines = dcgan("runs", "show", "one", *options(contract.url)).out.splitlines()
    table = lines[1:-1]
    assert max(map(len, table)) <= 80
    first, *more = table[1:]
    assert re.match(r"train +waiting +– ", first)
    whole = " ".join(line.strip() for line in [re.split("– +", first)[1], *more])
    assert whole == WAITS
    out = dcgan("runs", "show", "one", "--wait", *options(contract.url)).out
    assert f"      train waiting: {WAITS}\n" in out


@pytest.mark.parametrize(
    ("phase", "events", "is_ui"),
    [("Running", EVENTS, True), ("Pending", EVENTS[2:], True), ("Pending", EVENTS, False)],
)
def test_where_nothing_hinders_nothing_is_said(dcgan, contract, phase, events, is_ui):
    contract.is_ui = is_ui
    waiting(dcgan, contract, phase, events)
    assert re.search(
        r"^train +running +–\s*$",
        dcgan("runs", "show", "one", *options(contract.url)).out, re.MULTILINE,
    )  # fmt: skip


@pytest.mark.parametrize(
    "events", ["abc", [None], [{"type": "Warning", "lastTimestamp": 5}, *EVENTS]], ids=str
)
@pytest.mark.parametrize("phase", ["Pending", None])
def test_odd_answers_about_a_pod_end_nothing(dcgan, contract, phase, events):
    contract.is_ui = True
    waiting(dcgan, contract, phase, events)
    for pod in contract.pods.values():
        del pod["metadata"]
    out = dcgan("runs", "show", "one", *options(contract.url)).out
    assert re.search(r"^train +(running|waiting)", out, re.MULTILINE)


@pytest.mark.parametrize("command", ["submit", "show"])
@pytest.mark.parametrize(
    ("compare", "why"),
    [("SUCCEEDED", "KID 9 is above max_kid (=1)"), ("cached", "the model was not good enough")],
)
def test_a_model_that_was_not_good_enough(dcgan, contract, compare, why, command):
    contract.phases = [("SUCCEEDED", {"compare": compare, "condition-1": "SKIPPED"})]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (run,) = contract.runs.values()
    log = b"[compare] KID 9 is above max_kid (=1)\n[compare] not blessed\n[compare] done in 1 s\n"
    if compare == "SUCCEEDED":
        contract.logs[contract.pod_of(run, "compare")] = log
    start = ["submit", *IMAGES, "--name", "one"] if command == "submit" else ["runs", "show", "one"]
    done = dcgan(*start, "--wait", *options(contract.url))
    assert f"run one: succeeded\nnot published: {why}" in done.out
    done = dcgan(*start, "--require-blessed", *options(contract.url), code=5)
    assert f"error: not blessed: {why}" in done.err


@pytest.mark.parametrize(
    ("comparison", "why"),
    [
        (b'{"blessed": false, "reason": "KID 9 is above max_kid (=1)"}', "KID 9 is above"),
        (b"[]", "the model was not good enough (see the report)"),
        (b"<!doctype html>", "the model was not good enough (see the report)"),
    ],
)
def test_where_compare_was_a_cache_hit_its_file_tells(dcgan, contract, comparison, why):
    contract.is_ui = True
    ended = {"compare": "cached", "collect": "SUCCEEDED", "condition-1": "SKIPPED"}
    contract.phases = [("SUCCEEDED", ended)]
    dcgan("submit", *IMAGES, "--name", "one", *options(contract.url))
    (run,) = contract.runs.values()
    dcgan("runs", "show", "one", *options(contract.url))
    contract.logs[contract.pod_of(run, "collect")] = b"[collect] comparison minio://mlpipeline/m\n"
    contract.objects["minio", "mlpipeline", "m"] = comparison
    assert f"not published: {why}" in dcgan("runs", "show", "one", *options(contract.url)).out


def test_a_model_that_was_good_enough(dcgan, contract):
    published = {"compare": "SUCCEEDED", "condition-1": "SUCCEEDED", "publish": "SUCCEEDED"}
    contract.phases = [("RUNNING", {}), ("SUCCEEDED", published)]
    done = dcgan("submit", *IMAGES, "--require-blessed", *options(contract.url))
    assert "not published" not in done.out
