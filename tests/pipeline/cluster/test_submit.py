"""`dcgan submit`: checked first, uploaded when new, started once, followed to its end."""

import itertools
import re
import time
import uuid

import pytest
import yaml

from pipeline.cluster import server as server_module
from pipeline.cluster.compiling import compile_pipeline
from pipeline.config import load_config
from tests.pipeline.cluster.conftest import options
from tests.pipeline.cluster.contract_http import Refusal
from tests.pipeline.cluster.contract_server import pod_of

IMAGES = ("--images", "/dcgan/pictures")
TASKS = ("fingerprint", "ingest", "transform", "train", "evaluate", "export", "compare", "publish")
POST_RUN = r"POST /apis/v2beta1/runs$"


@pytest.fixture
def own(at):
    """An experiment of this test's own, since a real server keeps what others left."""
    return [*at, "--set", f"cluster.experiment=tests-{uuid.uuid4().hex[:8]}"]


def run_of(done):
    return re.search(r"^run (\S+) ", done.out, re.MULTILINE)[1]


@pytest.mark.cluster
def test_a_version_is_uploaded_once_and_each_command_starts_a_run(dcgan, own, host):
    # A version of this test's own, too.
    own = [*own, "--set", f"export.model_name=m{uuid.uuid4().hex[:8]}"]
    first = dcgan("submit", *IMAGES, *own)
    assert re.search(r"^version dcgan-[0-9a-f]{12}: uploaded$", first.out, re.MULTILINE)
    assert f"{host}/#/runs/details/" in first.out
    second = dcgan("submit", *IMAGES, *own)
    assert ": there already" in second.out
    names = {run_of(first), run_of(second)}
    listed = dcgan("runs", "list", *own).out
    assert len(names) == 2
    assert all(name in listed for name in names)
    for name in names:
        dcgan("runs", "stop", name, *own)


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["nightly", "a+b 50%41", 'say "ä"'])
def test_a_run_of_this_name_is_not_started_again(dcgan, own, name):
    name = f"{name}-{uuid.uuid4().hex[:8]}"
    first = dcgan("submit", *IMAGES, *own, "--name", name)
    second = dcgan("submit", *IMAGES, *own, "--name", name)
    assert f"run {name} started\n" in first.out
    assert f"run {name} was started before, and not again" in second.out
    assert dcgan("runs", "list", *own).out.count(name) == 1
    dcgan("runs", "stop", name, *own)


@pytest.mark.cluster
def test_a_run_that_is_stopped_ends_as_stopped(dcgan, own):
    name = run_of(dcgan("submit", *IMAGES, *own))
    assert "being stopped" in dcgan("runs", "stop", name, *own).out
    done = dcgan("runs", "show", name, "--wait", *own, code=130)
    assert f"run {name} was stopped" in done.err
    assert "canceled" in dcgan("runs", "list", *own).out
    assert f"run {name}: canceled already" in dcgan("runs", "stop", name, *own).out


def test_what_the_server_gets_is_what_compile_writes(dcgan, contract, tmp_path):
    arguments = [*IMAGES, *options(contract.url, "cluster.service_account=dcgan")]
    dcgan("compile", "-o", tmp_path / "dcgan.yaml", *arguments)
    dcgan("submit", *arguments)
    (version,), (run,) = contract.versions.values(), contract.runs.values()
    spec, platform = yaml.safe_load_all((tmp_path / "dcgan.yaml").read_text())
    assert version["pipeline_spec"] == {"pipeline_spec": spec, "platform_spec": platform}
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    sent = run["runtime_config"]["parameters"]
    assert sent == {name: value["defaultValue"] for name, value in parameters.items()}
    assert run["service_account"] == "dcgan"
    assert run["pipeline_version_reference"]["pipeline_version_id"] in contract.versions


def test_artifacts_go_where_the_configuration_says(dcgan, contract):
    dcgan("submit", *IMAGES, *options(contract.url, "cluster.pipeline_root=gs://me/runs"))
    (run,) = contract.runs.values()
    assert run["runtime_config"]["pipeline_root"] == "gs://me/runs"


def test_a_name_is_an_experiments_own(dcgan, contract):
    for experiment in ("a", "b"):
        where = options(contract.url, f"cluster.experiment={experiment}")
        assert "started\n" in dcgan("submit", *IMAGES, "--name", "one", *where).out
    assert len(contract.runs) == 2


def test_images_that_are_on_the_nodes(dcgan, contract):
    where = options(contract.url, "cluster.registry=localhost")
    assert "started\n" in dcgan("submit", *IMAGES, *where).out


def test_other_settings_are_another_version(dcgan, contract):
    dcgan("submit", *IMAGES, *options(contract.url))
    done = dcgan("submit", *IMAGES, *options(contract.url, "train.epochs=3"))
    assert ": uploaded" in done.out
    assert len(contract.versions) == 2
    assert len(contract.pipelines) == len(contract.experiments) == 1


def test_all_is_found_on_later_pages(dcgan, contract, monkeypatch):
    """A real server has at most 200 on a page, and other people's things before ours."""
    monkeypatch.setattr(server_module, "_PAGE", 2)
    for index in range(5):
        contract.create_experiment({"display_name": f"other-{index}"})
    names = [run_of(dcgan("submit", *IMAGES, *options(contract.url))) for _ in range(5)]
    listed = dcgan("runs", "list", *options(contract.url)).out
    assert re.findall(r"^(dcgan-\S+)", listed, re.MULTILINE) == names[::-1]
    assert len(dcgan("runs", "list", "--count", 3, *options(contract.url)).out.splitlines()) == 4


def test_names_that_differ_in_case_are_two(dcgan, contract):
    """The server's filter takes them for one."""
    for name in ("Nightly", "nightly"):
        assert (
            f"run {name} started"
            in dcgan("submit", *IMAGES, "--name", name, *options(contract.url)).out
        )
    assert len(contract.runs) == 2


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 502}, {"status": 503}, {}])
def test_never_two_runs_for_one_command(dcgan, contract, fault, after):
    """Whether the server fails before or after it has started the run."""
    contract.fail(POST_RUN, after=after, **fault)
    assert "started" in dcgan("submit", *IMAGES, *options(contract.url)).out
    assert len(contract.runs) == 1
    posts = [line for line in contract.requests if re.search(POST_RUN, line)]
    assert len(posts) == (1 if after else 2)


def test_a_proxy_that_stops_waiting_says_nothing_of_the_server(dcgan, contract):
    contract.fail(POST_RUN, status=504, after=True)
    assert "started" in dcgan("submit", *IMAGES, *options(contract.url)).out
    contract.fail(POST_RUN, status=504)
    done = dcgan("submit", *IMAGES, *options(contract.url), code=1)
    assert "(504)" in done.err
    assert "it may still do it" in done.err
    assert [bool(re.search(POST_RUN, line)) for line in contract.requests].count(True) == 2


def test_a_server_that_hangs_is_not_asked_twice(dcgan, contract, monkeypatch):
    """What it still does is unknown; here it starts the run after we have given up."""
    monkeypatch.setattr(server_module, "_TIMEOUT", (5, 0.2))
    contract.fail(POST_RUN, seconds=1)
    arguments = ["submit", *IMAGES, "--name", "slow", *options(contract.url)]
    assert "did not answer" in dcgan(*arguments, code=1).err
    assert [bool(re.search(POST_RUN, line)) for line in contract.requests].count(True) == 1
    while not contract.runs:
        time.sleep(0.05)
    monkeypatch.setattr(server_module, "_TIMEOUT", (5, 60))
    assert "run slow was started before, and not again" in dcgan(*arguments).out
    assert len(contract.runs) == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    "request_", [r"POST .*/upload_version", r"POST .*/pipelines$", r"POST .*/experiments$"]
)
def test_nothing_is_made_twice(dcgan, contract, request_, after):
    contract.fail(request_, after=after, status=503)
    assert "started" in dcgan("submit", *IMAGES, *options(contract.url)).out
    for table in (contract.pipelines, contract.versions, contract.experiments, contract.runs):
        assert len(table) == 1


def test_two_commands_at_once_make_one_experiment(dcgan, contract, monkeypatch):
    """The other command is quicker: ours is refused with 409, and uses what is there."""
    create = contract.create_experiment

    def be_late(body):
        monkeypatch.setattr(contract, "create_experiment", create)
        create(body)
        return create(body)

    monkeypatch.setattr(contract, "create_experiment", be_late)
    assert "started" in dcgan("submit", *IMAGES, *options(contract.url)).out
    assert len(contract.experiments) == 1


def test_what_cannot_work_changes_nothing_on_the_server(dcgan, contract):
    for arguments in (
        ["--images", "/home/me/pictures"],
        [*IMAGES, "--set", "cluster.registry=''"],
        [*IMAGES, "--set", "train.epochs=0"],
        [*IMAGES, "--fetch", "/"],
    ):
        dcgan("submit", *options(contract.url), *arguments, code=2)
    assert not contract.requests
    contract.version = "1.8.5"
    done = dcgan("submit", *IMAGES, *options(contract.url), code=2)
    assert "is Kubeflow Pipelines 1.8.5, this SDK is 2.17.0: use a server of version 2" in done.err
    assert not contract.pipelines


@pytest.mark.parametrize(
    ("version", "warning"),
    [
        ("2.14.3", "is Kubeflow Pipelines 2.14.3, older than this SDK (2.17.0)"),
        ("unknown", "does not tell its version (it says unknown)"),
        ("", "does not tell its version (it says nothing)"),
        ("2.17.0", None),
        ("v2.18.1", None),
    ],
)
def test_servers_version_is_compared(dcgan, contract, version, warning):
    contract.version = version
    done = dcgan("submit", *IMAGES, *options(contract.url))
    assert (warning in done.err) if warning else (not done.err)


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
    assert lines[begin + 1 : begin + 8] == [f"{task} succeeded" for task in TASKS[:-1]]
    assert lines[begin + 8 : begin + 10] == ["publish running", "publish succeeded"]
    assert re.match(r"run \S+: succeeded", lines[-1])


def test_unchanged_pictures_show_as_cached(dcgan, contract):
    cached = {"fingerprint": "SUCCEEDED"} | dict.fromkeys(TASKS[1:7], "cached")
    ended = {"collect": "SUCCEEDED", "publish": "SUCCEEDED"}  # collect begins with compare
    contract.phases = [("SUCCEEDED", cached | ended)]
    name = run_of(dcgan("submit", *IMAGES, "--wait", *options(contract.url)))
    shown = dcgan("runs", "show", name, *options(contract.url)).out
    states = dict(re.findall(r"^(\w+) +(\w+) +0:00:50", shown, re.MULTILINE))
    wanted = {task: "cached" if task in TASKS[1:7] else "succeeded" for task in TASKS}
    assert states == wanted | {"collect": "succeeded"}


def test_failure_is_told_in_the_steps_words_and_with_its_code(dcgan, contract):
    phases(contract, "FAILED", "FAILED", at="ingest")
    name = run_of(dcgan("submit", *IMAGES, *options(contract.url)))
    (run,) = contract.runs.values()
    pod = pod_of(run["run_id"], "ingest")
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
    contract.multi_user = multi_user
    where = options(contract.url, "cluster.namespace=me")
    contract.phases = [("SUCCEEDED", {"collect": "SUCCEEDED"})]
    name = run_of(dcgan("submit", *IMAGES, *where))
    (run,) = contract.runs.values()
    lines = []
    for output, content in (("report", b"<!doctype html>"), ("gif", b"GIF89a"), ("metrics", b"{}")):
        key = f"v2/artifacts/dcgan/{run['run_id']}/evaluate/1f/{output}"
        contract.objects["gcs" if scheme == "gs" else scheme, "mlpipeline", key] = content
        lines.append(f"[collect] {output} {scheme}://mlpipeline/{key}\n")
    pod = pod_of(run["run_id"], "collect")
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
    contract.phases = [("SUCCEEDED", {"collect": "SUCCEEDED"})]
    home = tmp_path / "home"
    done = dcgan("submit", *IMAGES, "--fetch", home, *options(contract.url), code=1)
    assert "no log of collect" in done.err
    (run,) = contract.runs.values()
    pod = pod_of(run["run_id"], "collect")
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


def test_compiled_name_is_of_its_text():
    one = compile_pipeline(load_config("full", overrides=["images=/dcgan/p"]))
    other = compile_pipeline(load_config("full", overrides=["images=/dcgan/q"]))
    assert one.name != other.name
