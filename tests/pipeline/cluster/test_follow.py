"""`--wait` and `--fetch`: a run is followed to its end, and its results come home."""

import itertools
import re

import pytest

from pipeline.results import TASKS
from tests.pipeline.cluster.conftest import IMAGES, each_layout, options, run_of
from tests.pipeline.cluster.contract_argo import LAYOUTS
from tests.pipeline.cluster.contract_http import Refusal


def phases(contract, *ends, at="train"):
    """A run that goes on task by task, until `at`, where it ends as the last of `ends`."""
    before = TASKS[: TASKS.index(at)]
    done = dict.fromkeys(before, "SUCCEEDED")
    state, task = ends
    contract.phases = [
        ("RUNNING", {}),
        ("RUNNING", {TASKS[0]: "RUNNING"}),
        ("RUNNING", {**done, at: "RUNNING"}),
        (state, {**done, at: task}),
    ]


def test_wait_follows_task_by_task_to_success(dcgan, contract):
    phases(contract, "SUCCEEDED", "SUCCEEDED", at="publish")
    done = dcgan("submit", *IMAGES, "--wait", *options(contract.url))
    lines = [line.split(" after ")[0].strip() for line in done.out.splitlines()]
    begin = lines.index("fingerprint running")
    assert lines[begin + 1 : begin + len(TASKS)] == [f"{task} succeeded" for task in TASKS[:-1]]
    assert lines[begin + len(TASKS) :][:2] == ["publish running", "publish succeeded"]
    assert re.match(r"run \S+: succeeded", lines[-1])


@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_unchanged_pictures_show_as_cached(dcgan, contract):
    cached = {"fingerprint": "SUCCEEDED"} | dict.fromkeys(TASKS[1:-1], "cached")
    ended = {"collect": "SUCCEEDED", "publish": "SUCCEEDED"}  # collect begins with compare
    contract.phases = [("SUCCEEDED", cached | ended)]
    name = run_of(dcgan("submit", *IMAGES, "--wait", *options(contract.url)))
    shown = dcgan("runs", "show", name, *options(contract.url)).out
    states = dict(re.findall(r"^(\w+) +(\w+) +0:00:50", shown, re.MULTILINE))
    wanted = {task: "cached" if task in TASKS[1:-1] else "succeeded" for task in TASKS}
    assert states == wanted | {"collect": "succeeded"}


@each_layout
def test_failure_is_told_in_the_steps_words_and_with_its_code(dcgan, contract):
    phases(contract, "FAILED", "FAILED", at="ingest")
    name = run_of(dcgan("submit", *IMAGES, *options(contract.url)))
    (run,) = contract.runs.values()
    pod = contract.pod_of(run, "ingest")
    contract.logs[pod] = (
        b"[ingest] error 1: OSError: the first try\n"
        b"[ingest] 12 files\n[ingest] error 3: no pictures in /dcgan/pictures\n"
    )
    done = dcgan("runs", "show", name, "--wait", *options(contract.url), code=3)
    assert f"run {name} failed in ingest: no pictures in /dcgan/pictures" in done.err
    log = dcgan("runs", "logs", name, "ingest", *options(contract.url)).out
    assert log == contract.logs[pod].decode()


def test_failure_without_a_log_ends_with_one_and_the_link(dcgan, contract):
    phases(contract, "FAILED", "FAILED")
    done = dcgan("submit", *IMAGES, "--wait", *options(contract.url), code=1)
    assert re.search(r"failed in train: see http://localhost:\d+/#/runs/details/", done.err)
    name = run_of(done)
    done = dcgan("runs", "logs", name, *options(contract.url), code=1)
    assert f"no log of train in run {name}" in done.err
    asked = [line for line in contract.requests if line.endswith("/log")]
    assert len(asked) == len(set(asked)) * 2  # once a command, though the answer was a 500


@pytest.mark.parametrize(
    ("state", "code"), [("CANCELED", 130), ("SKIPPED", 0), ("FAILED", 1), ("SUCCEEDED", 0)]
)
def test_every_end_has_its_code(dcgan, contract, state, code):
    contract.phases = [(state, {})]
    dcgan("submit", *IMAGES, "--wait", *options(contract.url), code=code)


def test_following_outlives_a_broken_connection(dcgan, contract):
    phases(contract, "SUCCEEDED", "SUCCEEDED")
    contract.fail(r"GET /apis/v2beta1/runs/")
    contract.fail(r"GET /apis/v2beta1/runs/", status=503)
    assert ": succeeded" in dcgan("submit", *IMAGES, "--wait", *options(contract.url)).out


@pytest.mark.parametrize("multi_user", [False, True])
@pytest.mark.parametrize("scheme", ["minio", "s3", "gs"])
def test_results_come_home(dcgan, contract, tmp_path, scheme, multi_user):
    contract.multi_user, contract.is_ui = multi_user, True
    where = options(contract.url, f"cluster.namespace={'me' if multi_user else ''}")
    contract.phases = [("SUCCEEDED", {"collect": "SUCCEEDED"})]
    name = run_of(dcgan("submit", *IMAGES, *where))
    (run,) = contract.runs.values()
    lines = []
    for output, content in (("report", b"<!doctype html>"), ("gif", b"GIF89a"), ("metrics", b"{}")):
        key = f"v2/artifacts/dcgan/{run['run_id']}/evaluate/1f/{output}"
        contract.objects["gcs" if scheme == "gs" else scheme, "mlpipeline", key] = content
        lines.append(f"[collect] {output} {scheme}://mlpipeline/{key}\n")
    pod = contract.pod_of(run, "collect")
    contract.logs[pod] = "".join(lines).encode()
    home = tmp_path / "home"
    dcgan("runs", "show", name, "--fetch", home, *where)
    assert {path.name: path.read_bytes() for path in home.iterdir()} == {
        "report.html": b"<!doctype html>",
        "dcgan.gif": b"GIF89a",
        "scores.json": b"{}",
    }
    done = dcgan("runs", "show", name, "--fetch", home, *where, code=2)
    assert "is there already" in done.err


def test_results_that_cannot_be_had_leave_nothing(dcgan, contract, tmp_path):
    contract.is_ui = True
    contract.phases = [("SUCCEEDED", {"collect": "SUCCEEDED"})]
    home = tmp_path / "home"
    done = dcgan("submit", *IMAGES, "--fetch", home, *options(contract.url), code=1)
    assert "no log of collect" in done.err
    (run,) = contract.runs.values()
    pod = contract.pod_of(run, "collect")
    contract.logs[pod] = b"[collect] report minio://mlpipeline/gone\n"
    again = ["runs", "show", run["display_name"], "--fetch", home, *options(contract.url)]
    assert "does not say where its gif, metrics is" in dcgan(*again, code=1).err
    contract.logs[pod] += b"[collect] oddly\n[collect] http://x\n"
    contract.logs[pod] += b"[collect] gif minio://a/b\n[collect] metrics minio://a/c\n"
    dcgan(*again, code=1)
    page = b"<!doctype html><title>Log in</title>"
    for key in ("mlpipeline", "gone"), ("a", "b"), ("a", "c"):
        contract.objects["minio", *key] = page
    assert "gave something else for minio://a/b" in dcgan(*again, code=1).err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", ["/proc/home", "x" * 300, "no/such/folder/home"])
def test_a_place_for_results_is_looked_at_first(dcgan, contract, home):
    done = dcgan("submit", *IMAGES, "--fetch", home, *options(contract.url), code=2)
    assert f"--fetch {home}: cannot write there" in done.err
    assert not contract.requests


def test_following_outlives_a_server_that_is_started_anew(dcgan, contract, monkeypatch):
    monkeypatch.setattr("pipeline.cluster.runs._LOSSES", 3)
    contract.phases = [("RUNNING", {}), ("RUNNING", {}), ("SUCCEEDED", {})]
    answer, looks = contract.get_run, itertools.count(1)

    def be_out_twice_in_a_row(run_id):
        if next(looks) % 7:  # each look is three tries here
            raise Refusal(503, 14, "upstream connect error")
        return answer(run_id)

    monkeypatch.setattr(contract, "get_run", be_out_twice_in_a_row)
    assert ": succeeded" in dcgan("submit", *IMAGES, "--wait", *options(contract.url)).out
    monkeypatch.setattr(contract, "get_run", answer)
    contract.fail(r"GET /apis/v2beta1/runs/", status=503, times=9)
    assert "(503)" in dcgan("submit", *IMAGES, "--wait", *options(contract.url), code=1).err


def test_a_run_that_the_server_cannot_read(dcgan, contract, monkeypatch):
    broken = {"run_id": "x", "error": {"code": 13, "message": "no such phase"}}
    monkeypatch.setattr(contract, "get_run", lambda _: broken)
    done = dcgan("submit", *IMAGES, "--wait", *options(contract.url), code=1)
    assert "cannot read run" in done.err
    assert "no such phase" in done.err
