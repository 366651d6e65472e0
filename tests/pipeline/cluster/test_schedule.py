"""`dcgan schedule`: the server's schedules are made to be as a file says."""

import re
import uuid
from datetime import datetime

import pytest
import yaml

from pipeline.cluster.schedule import Schedule, configuration
from tests.pipeline.cluster.conftest import NAMESPACE, options

CREATE = r"POST /apis/v2beta1/recurringruns$"
DELETE = r"DELETE /apis/v2beta1/recurringruns/"


@pytest.fixture
def file(tmp_path, host):
    """Write a schedule's file, and again with other values."""
    path = tmp_path / "retrain.yaml"
    values = {
        "name": f"weekly-{uuid.uuid4().hex[:8]}",
        "cron": "0 3 * * 1",
        "source": "/dcgan/pictures",
        "publish_root": "/dcgan/published",
        "settings": {"cluster": {"host": host, "registry": "ghcr.io/you", "namespace": NAMESPACE}},
    }

    def write(**changes):
        values.update(changes)
        path.write_text(yaml.safe_dump(values))
        return path

    write.name = values["name"]
    write()
    return write


def applied(done):
    return re.search(r"^schedule \S+: (.*)$", done.out, re.MULTILINE)[1]


def listed(dcgan, at, name):
    line = next(
        (line for line in dcgan("schedule", "list", *at).out.splitlines() if name in line), None
    )
    return line and re.split(r"  +", line.strip())[:3]


@pytest.mark.cluster
def test_applied_twice_changes_nothing_and_edited_changes_just_that(dcgan, at, file):
    assert applied(dcgan("schedule", "apply", "-f", file())) == "created"
    assert applied(dcgan("schedule", "apply", "-f", file())) == "unchanged"
    assert listed(dcgan, at, file.name) == [file.name, "0 3 * * 1", "on"]
    edited = dcgan("schedule", "apply", "-f", file(cron="30 4 * * 2"))
    assert applied(edited) == "updated (cron)"
    assert listed(dcgan, at, file.name) == [file.name, "30 4 * * 2", "on"]
    assert applied(dcgan("schedule", "apply", "-f", file())) == "unchanged"
    dcgan("schedule", "delete", file.name, *at)


@pytest.mark.cluster
def test_deleted_by_hand_it_comes_back(dcgan, at, file):
    dcgan("schedule", "apply", "-f", file())
    dcgan("schedule", "delete", file.name, *at)
    assert listed(dcgan, at, file.name) is None
    assert applied(dcgan("schedule", "apply", "-f", file())) == "created"
    assert listed(dcgan, at, file.name) == [file.name, "0 3 * * 1", "on"]
    dcgan("schedule", "delete", file.name, *at)


@pytest.mark.cluster
def test_paused_resumed_and_run_at_once(dcgan, at, file):
    dcgan("schedule", "apply", "-f", file(enabled=False))
    assert listed(dcgan, at, file.name)[2] == "paused"
    assert "resumed" in dcgan("schedule", "resume", file.name, *at).out
    assert "was resumed already" in dcgan("schedule", "resume", file.name, *at).out
    assert listed(dcgan, at, file.name)[2] == "on"
    assert "paused" in dcgan("schedule", "pause", file.name, *at).out
    assert applied(dcgan("schedule", "apply", "-f", file())) == "unchanged"
    assert applied(dcgan("schedule", "apply", "-f", file(enabled=True))) == "updated (enabled)"
    run = re.search(r"^run (\S+) started$", dcgan("schedule", "run-now", file.name, *at).out, re.M)
    assert run[1].startswith(file.name)
    dcgan("runs", "stop", run[1], *at)
    dcgan("schedule", "delete", file.name, *at)


@pytest.mark.cluster
@pytest.mark.parametrize("command", ["pause", "resume", "delete", "run-now"])
def test_unknown_schedule(dcgan, at, command):
    done = dcgan("schedule", command, f"none-{uuid.uuid4()}", *at, code=2)
    assert "see `dcgan schedule list`" in done.err


def test_the_server_gets_six_fields_and_what_the_file_says(dcgan, contract, file):
    dcgan("schedule", "apply", "-f", file(catch_up=True, concurrency=2))
    (job,) = contract.recurring.values()
    assert job["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"
    assert (job["mode"], job["max_concurrency"], job["no_catchup"]) == ("ENABLE", "2", False)
    parameters = job["runtime_config"]["parameters"]
    assert parameters["images"] == "/dcgan/pictures"
    assert parameters["publish_root"] == "/dcgan/published"
    assert job["pipeline_version_reference"]["pipeline_version_id"] in contract.versions
    dcgan("schedule", "apply", "-f", file(catch_up=False))
    (job,) = contract.recurring.values()
    assert job["no_catchup"] is True


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"catch_up": True}, "catch_up"),
        ({"concurrency": 3}, "concurrency, pipeline version, train.queue"),  # none waits
        ({"source": "/dcgan/others"}, "pipeline version, images"),
        ({"source": ["/dcgan/pictures", "s3://b/f*"]}, "pipeline version, images"),
        ({"publish_root": "/dcgan/elsewhere"}, "pipeline version, publish_root"),
        ({"profile": "seed"}, None),
        ({"time_zone": "Europe/Berlin"}, "unchanged"),  # only says what the server's is
    ],
)
def test_an_edit_changes_just_that(dcgan, contract, file, change, said):
    dcgan("schedule", "apply", "-f", file())
    (before,) = contract.recurring.values()
    action = applied(dcgan("schedule", "apply", "-f", file(**change)))
    if said == "unchanged":
        assert action == "unchanged"
        return
    assert action == f"updated ({said})" if said else "train.batch_size" in action
    (after,) = contract.recurring.values()
    differ = {key for key in before if before[key] != after[key]}
    differ -= {"recurring_run_id", "created_at", "_order", "description"}
    # A source or setting is the default of the pipeline's parameter, too.
    others = {"runtime_config", "pipeline_version_reference"}
    fields = {"catch_up": {"no_catchup"}, "concurrency": {"max_concurrency", *others}}
    assert differ == fields.get(next(iter(change)), others)


def test_new_code_moves_the_schedule_to_its_version_and_images(dcgan, contract, file, monkeypatch):
    dcgan("schedule", "apply", "-f", file())
    monkeypatch.setattr("pipeline.dag.code_version", lambda step: "new code")
    monkeypatch.setattr("pipeline.container_images.code_version", lambda step: "new code")
    done = dcgan("schedule", "apply", "-f", file())
    assert applied(done) == "updated (pipeline version)"
    (job,) = contract.recurring.values()
    old, new = contract.versions.values()
    assert job["pipeline_version_reference"]["pipeline_version_id"] == new["pipeline_version_id"]
    images = [
        version["pipeline_spec"]["pipeline_spec"]["deploymentSpec"]["executors"]["exec-train"][
            "container"
        ]["image"]
        for version in (old, new)
    ]
    assert images[0] != images[1]


def test_what_was_changed_on_the_server_is_seen(dcgan, contract, file):
    dcgan("schedule", "apply", "-f", file())
    (job,) = contract.recurring.values()
    job["runtime_config"]["parameters"]["train_config"]["epochs"] = 1
    action = applied(dcgan("schedule", "apply", "-f", file()))
    assert action == "updated (train.epochs)"


@pytest.mark.parametrize("account", ["pipeline-runner", "default-editor", "pipeline-runner-dspa"])
def test_accounts_that_the_server_fills_in_are_no_change(dcgan, contract, file, account):
    dcgan("schedule", "apply", "-f", file())
    (job,) = contract.recurring.values()
    job["service_account"] = account
    assert applied(dcgan("schedule", "apply", "-f", file())) == "unchanged"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("cluster.experiment=others", "experiment"),
        ("cluster.pipeline_root=gs://me/runs", "pipeline root"),
        ("cluster.service_account=dcgan", "service account"),
    ],
)
def test_where_it_runs_may_change(dcgan, contract, file, at, setting, said):
    dcgan("schedule", "apply", "-f", file())
    done = dcgan("schedule", "apply", "-f", file(), "--set", setting)
    assert applied(done) == f"updated ({said})"
    assert applied(dcgan("schedule", "apply", "-f", file(), "--set", setting)) == "unchanged"
    dcgan("schedule", "run-now", file.name, *at)
    (job,), (run,) = contract.recurring.values(), contract.runs.values()
    keys = ("experiment_id", "runtime_config", "service_account")
    assert [run.get(key) for key in keys] == [job.get(key, "pipeline-runner") for key in keys]


def test_pausing_makes_no_new_one(dcgan, contract, file):
    dcgan("schedule", "apply", "-f", file())
    (identity,) = contract.recurring
    assert applied(dcgan("schedule", "apply", "-f", file(enabled=False))) == "updated (enabled)"
    assert list(contract.recurring) == [identity]
    assert contract.recurring[identity]["mode"] == "DISABLE"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fault", [{"status": 503}, {}])
@pytest.mark.parametrize("request_", [CREATE, DELETE])
def test_there_is_one_whatever_breaks(dcgan, contract, file, request_, fault, after):
    dcgan("schedule", "apply", "-f", file())
    contract.fail(request_, after=after, **fault)
    assert applied(dcgan("schedule", "apply", "-f", file(cron="0 5 * * *"))) == "updated (cron)"
    (job,) = contract.recurring.values()
    assert job["trigger"]["cron_schedule"]["cron"] == "0 0 5 * * *"


def test_the_old_one_stays_when_the_new_one_is_refused(dcgan, contract, file):
    dcgan("schedule", "apply", "-f", file())
    contract.fail(CREATE, times=3, status=500)
    assert "(500)" in dcgan("schedule", "apply", "-f", file(cron="0 5 * * *"), code=1).err
    (job,) = contract.recurring.values()
    assert job["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * 1"


@pytest.mark.parametrize("command", ["apply", "delete"])
def test_a_training_under_way_outlives_its_schedule(dcgan, contract, file, at, command):
    dcgan("schedule", "apply", "-f", file())
    run = contract.fire(next(iter(contract.recurring)))
    if command == "apply":
        dcgan("schedule", "apply", "-f", file(cron="0 5 * * *"))
    else:
        dcgan("schedule", "delete", file.name, *at)
    assert run["state"] == "PENDING"


@pytest.mark.parametrize("right_one_first", [True, False])
def test_two_that_a_stopped_command_left_become_one(dcgan, contract, file, right_one_first):
    dcgan("schedule", "apply", "-f", file())
    (first,) = contract.recurring.values()
    own = {"recurring_run_id", "created_at", "_order"}
    copy = {key: value for key, value in first.items() if key not in own}
    second = contract._keep(contract.recurring, "recurring_run_id", copy)
    right, wrong = (first, second) if right_one_first else (second, first)
    wrong["max_concurrency"] = "9"
    action = applied(dcgan("schedule", "apply", "-f", file()))
    assert action == "updated (a second one of this name)"
    assert list(contract.recurring.values()) == [right]


def test_dry_run_shows_firings_and_changes_nothing(dcgan, contract, file, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")
    zone = {"cron": "0 3 * * *", "time_zone": "Asia/Kolkata"}
    done = dcgan("schedule", "apply", "-f", file(**zone), "--dry-run")
    assert applied(done) == "would be created"
    assert not contract.recurring
    assert not contract.pipelines
    rows = re.findall(r"^\w{3} (\S+ \S+) +\w{3} (\S+ \S+)$", done.out, re.MULTILINE)
    assert len(rows) == 5
    for server, here in rows:
        assert server.endswith(" 03:00")
        moment = datetime.fromisoformat(f"{server}+05:30")
        assert here == f"{moment.astimezone():%Y-%m-%d %H:%M}"
    dcgan("schedule", "apply", "-f", file())
    assert applied(dcgan("schedule", "apply", "-f", file(), "--dry-run")) == "unchanged"
    changed = file(cron="0 4 * * *", concurrency=2)
    done = dcgan("schedule", "apply", "-f", changed, "--dry-run")
    assert applied(done) == "would be updated (cron, concurrency, pipeline version, train.queue)"
    assert len(contract.recurring) == 1


def test_dry_run_needs_no_server(dcgan, file):
    path = file(settings={"cluster": {"registry": "ghcr.io/you"}})
    done = dcgan("schedule", "apply", "-f", path, "--dry-run")
    assert "what would change is not known" in done.out
    assert len(re.findall(r"\d\d:\d\d", done.out)) == 10


def test_scheduled_runs_are_the_schedules(dcgan, contract, file, at):
    """A run that the server starts has the schedule's version and parameters."""
    dcgan("schedule", "apply", "-f", file())
    (identity,) = contract.recurring
    run = contract.fire(identity)
    assert run["display_name"] in dcgan("runs", "list", *at).out
    run_now = dcgan("schedule", "run-now", file.name, *at)
    name = re.search(r"^run (\S+) started$", run_now.out, re.MULTILINE)[1]
    ours = next(one for one in contract.runs.values() if one["display_name"] == name)
    for key in ("runtime_config", "pipeline_version_reference", "experiment_id"):
        assert ours[key] == run[key]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cron": "0 0 3 * * 1"}, "has six fields: leave out the seconds"),
        ({"cron": "0 3 * *"}, "has 4 fields"),
        ({"crom": "0 3 * * 1"}, "crom: no such key; did you mean cron?"),
        ({"concurrency": 11}, "concurrency (=11): must be a whole number, ≥ 1, ≤ 10"),
        ({"time_zone": "Mars/Olympus"}, "time_zone (='Mars/Olympus'): no such zone"),
        ({"profile": "big"}, "choose one of demo, full, seed"),
        ({"source": "/home/me"}, "no pod would find it"),
        ({"settings": {"train": {"epoch": 3}}}, "did you mean train.epochs?"),
        ({"name": None}, "name"),
    ],
)
def test_wrong_file_is_refused_before_anything_is_asked(dcgan, contract, file, change, message):
    done = dcgan("schedule", "apply", "-f", file(**change), code=2)
    assert message in done.err
    assert not contract.requests


@pytest.mark.parametrize("text", [None, "", "- a", "a: b: c"])
def test_file_that_is_no_schedule(dcgan, tmp_path, text):
    path = tmp_path / "x.yaml"
    if text is not None:
        path.write_text(text)
    assert f"schedule {path}" in dcgan("schedule", "apply", "-f", path, code=2).err


def test_the_schedule_that_comes_with_the_project(dcgan):
    path = "infra/schedule/retrain.yaml"
    done = dcgan("schedule", "apply", "-f", path, "--dry-run", "--set", "cluster.host=''")
    assert len(re.findall(r"^Mon \S+ 03:00 ", done.out, re.MULTILINE)) == 5


def test_an_account_that_is_no_longer_asked_for(dcgan, contract, file):
    dcgan("schedule", "apply", "-f", file(), "--set", "cluster.service_account=dcgan")
    assert applied(dcgan("schedule", "apply", "-f", file())) == "updated (service account)"


def test_other_peoples_schedules_are_left_alone(dcgan, contract, file, at):
    dcgan("schedule", "apply", "-f", file())
    (job,) = contract.recurring.values()
    job["description"] = "Bob's"
    before = dict(job)
    for command in (
        ["apply", "-f", file(cron="0 5 * * *")],
        *([one, file.name, *at] for one in ("pause", "resume", "delete", "run-now")),
    ):
        done = dcgan("schedule", *command, code=2)
        assert "was not made by `dcgan schedule apply`" in done.err
    assert dcgan("schedule", "list", *at).out == "no schedules yet\n"
    assert list(contract.recurring.values()) == [before]


def test_where_many_users_are(dcgan, contract, file):
    contract.multi_user = True
    me = ["--set", "cluster.namespace=me"]
    assert applied(dcgan("schedule", "apply", "-f", file(), *me)) == "created"
    assert applied(dcgan("schedule", "apply", "-f", file(), *me)) == "unchanged"


def test_host_options_go_over_the_files(dcgan, contract, file):
    path = file(settings={"cluster": {"registry": "r.io", "host": "http://localhost:1"}})
    done = dcgan("schedule", "apply", "-f", path, *options(contract.url))
    assert applied(done) == "created"


@pytest.mark.parametrize(
    ("changes", "queue"),
    [
        ({}, "weekly"),
        ({"concurrency": 2}, ""),
        ({"settings": {"train": {"queue": "mine", "epochs": 3}}}, "mine"),
        ({"settings": {"train": {"epochs": 3}}}, "weekly"),
    ],
)
def test_trainings_of_one_schedule_wait_for_one_another(changes, queue):
    schedule = Schedule(name="weekly", cron="0 3 * * 1", source="/dcgan/pictures", **changes)
    assert configuration(schedule).train.queue == queue


def test_several_schedules_may_be_one_queue_by_their_common_file(tmp_path):
    (tmp_path / "common.yaml").write_text("train: {queue: one-gpu}")
    schedule = Schedule(name="weekly", cron="0 3 * * 1", source="/dcgan/pictures")
    assert configuration(schedule, tmp_path / "common.yaml").train.queue == "one-gpu"
