"""`dcgan submit`: checked first, uploaded when new, started once."""

import re
import time
import uuid

import pytest
import yaml

from pipeline.cluster import server as server_module
from pipeline.cluster.compiling import compile_pipeline
from pipeline.config import load_config
from tests.pipeline.cluster.conftest import IMAGES, options, run_of

POST_RUN = r"POST /apis/v2beta1/runs$"


@pytest.fixture
def own(at):
    """An experiment of this test's own, since a real server keeps what others left."""
    return [*at, "--set", f"cluster.experiment=tests-{uuid.uuid4().hex[:8]}"]


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
    assert "stopped" in dcgan("runs", "list", *own).out
    assert f"run {name}: stopped already" in dcgan("runs", "stop", name, *own).out


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


def test_paranoid_is_a_parameter_of_the_run_and_not_of_ingest(dcgan, contract):
    dcgan("submit", *IMAGES, "--paranoid", *options(contract.url))
    (run,) = contract.runs.values()
    sent = run["runtime_config"]["parameters"]
    assert sent["paranoid"] is True
    assert "paranoid" not in sent["ingest_config"]


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


def test_a_name_that_another_version_has_is_refused(dcgan, contract):
    start = ["submit", "--name", "one", *options(contract.url)]
    dcgan(*start, "--images", "/dcgan/pictures")
    done = dcgan(*start, "--images", "/dcgan/others", code=2)
    assert "run one is there already, of other pictures, settings or code" in done.err
    assert len(contract.runs) == 1


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


def test_compiled_name_is_of_its_text():
    one = compile_pipeline(load_config("full", overrides=["images=/dcgan/p"]))
    other = compile_pipeline(load_config("full", overrides=["images=/dcgan/q"]))
    assert one.name != other.name
