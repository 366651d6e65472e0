"""What a container says and how it ends, as kfp's runner and the command line see it."""

import contextlib
import inspect
import io
import os
import threading
import time
from pathlib import Path

import pytest
from docker.errors import NotFound
from kfp.local import docker_task_handler

from components.shared.errors import UsageError
from pipeline.container_images import ContainerImages
from pipeline.docker_runner import DockerEngine, run_container
from pipeline.task_folders import lock_of, task_folders

KFPS_OWN = inspect.signature(docker_task_handler.run_docker_container)


def test_our_function_takes_what_kfps_own_takes():
    assert list(inspect.signature(run_container).parameters)[:4] == list(KFPS_OWN.parameters)[:4]
    source = inspect.getsource(docker_task_handler.DockerTaskHandler.run)
    assert source.count("run_docker_container(\n") == 2, "kfp no longer looks it up by name"


@pytest.fixture
def run(engine, tmp_path):
    """Run a shell command in the ingest image."""

    def run(script, **options):
        image = engine.images.reference("ingest")
        volumes = {str(tmp_path): {"bind": "/shared", "mode": "rw"}}
        options |= {"user": f"{os.getuid()}"}
        return run_container(engine.client, image, ["sh", "-c", script], volumes, **options)

    return run


@pytest.mark.docker
@pytest.mark.parametrize("code", [0, 1, 3, 137])
def test_exit_code_is_the_containers_however_fast_it_ends(run, code):
    assert [run(f"exit {code}") for _ in range(5)] == [code] * 5


@pytest.mark.docker
def test_container_is_gone_afterwards(engine, run):
    run("exit 1", labels={"test": "gone"})
    assert not engine.client.containers.list(all=True, filters={"label": "test=gone"})


class Answer(io.StringIO):
    """Stdout that puts a file in place when it hears a question."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    def write(self, text):
        if "question" in text:
            self.file.touch()
        return super().write(text)


@pytest.mark.docker
def test_lines_arrive_while_the_container_runs(run, tmp_path):
    """The container ends only when its first line was heard; otherwise it gives up."""
    wait = "for i in $(seq 300); do [ -e /shared/heard ] && exit 0; sleep 0.1; done; exit 9"
    with contextlib.redirect_stdout(Answer(tmp_path / "heard")) as heard:
        assert run(f"echo question; {wait}") == 0
    assert "question\n" in heard.getvalue()


@pytest.mark.docker
def test_text_that_is_no_utf8_is_shown_all_the_same(run, capsys):
    assert run(r"printf 'caf\351\n'") == 0
    assert "caf\ufffd\n" in capsys.readouterr().out


@pytest.mark.docker
def test_stop_ends_this_runs_step_and_no_other(engine, tmp_path, run):
    labels = engine.runner(tmp_path / "mine", read=(), write=()).container_run_args["labels"]
    (key,) = labels
    codes = {}

    def sleep(name, value):
        codes[name] = run("sleep 60", labels={key: value})

    threads = [
        threading.Thread(target=sleep, args=named)
        for named in (("ours", labels[key]), ("another", "/another"))
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(running(engine, key)) == 2)
    engine.stop()
    threads[0].join()
    (another,) = running(engine, f"{key}=/another")
    another.kill()
    threads[1].join()
    assert codes == {"ours": 143, "another": 137}


@pytest.mark.docker
def test_step_hears_of_its_stop_and_may_end_by_itself(engine, tmp_path, run):
    """Though the container's first process is a shell that passes no signal on."""
    labels = engine.runner(tmp_path / "mine", read=(), write=()).container_run_args["labels"]
    (key,) = labels
    step = "trap 'exit 5' TERM; while :; do sleep 0.1; done"
    codes = []
    thread = threading.Thread(
        target=lambda: codes.append(run(f'sh -c "{step}"; exit $?', labels=labels))
    )
    thread.start()
    wait_until(lambda: len(running(engine, key)) == 1)
    time.sleep(1)  # until the trap is set
    engine.stop()
    thread.join()
    assert codes == [5]


def running(engine, label):
    return engine.client.containers.list(filters={"label": label})


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.docker
def test_what_dead_runs_left_is_removed_and_a_living_ones_is_not(engine, tmp_path):
    image = engine.images.reference("ingest")
    with task_folders(tmp_path, "living") as living:
        locks = {"dead": tmp_path / "dead" / ".lock", "living": lock_of(living)}
        left = {
            name: engine.client.containers.run(
                image, "true", detach=True, labels={"dcgan-pipeline.lock": str(lock)}
            )
            for name, lock in locks.items()
        }
        for container in left.values():
            container.wait()
        engine.runner(lock_of(living), read=(), write=())
        with pytest.raises(NotFound):
            left["dead"].reload()
        left["living"].remove()


@pytest.mark.docker
def test_image_that_is_missing_or_of_other_code_is_named(engine, tmp_path):
    with pytest.raises(UsageError, match=r"ingest:v0: run `make images TAG=v0` first"):
        DockerEngine(ContainerImages(tag="v0"), tmp_path, print)
    image = engine.client.images.get(engine.images.reference("train"))
    image.tag("dcgan-pipeline/ingest", "v0")
    try:
        with pytest.raises(UsageError, match="was made from other code"):
            DockerEngine(ContainerImages(tag="v0"), tmp_path, print)
    finally:
        engine.client.images.remove("dcgan-pipeline/ingest:v0")


@pytest.mark.docker
def test_image_that_cannot_be_pulled_is_one_line(engine, tmp_path):
    shown = []
    with pytest.raises(UsageError, match=r"image .*Foo"):
        DockerEngine(ContainerImages("Foo"), tmp_path, print)
    with pytest.raises(UsageError, match=r"cannot pull localhost:9/dcgan-pipeline/ingest:\w+: "):
        DockerEngine(ContainerImages("localhost:9"), tmp_path, shown.append)
    assert [line.message.split(":")[0] for line in shown] == ["pulling localhost"]
    DockerEngine(ContainerImages("localhost:9"), tmp_path, shown.append, pull=False)
    assert len(shown) == 1, "a dry run pulls nothing"


def test_path_that_docker_cannot_mount_is_refused(tmp_path):
    with pytest.raises(UsageError, match="with a colon"):
        DockerEngine(ContainerImages(), tmp_path / "a:b", print)


@pytest.mark.docker
def test_gpu_is_handed_over_where_there_is_one(engine, monkeypatch, tmp_path):
    assert not engine.runner(tmp_path, (), ()).container_run_args["device_requests"]
    monkeypatch.setattr(engine, "gpu", True)
    (request,) = engine.runner(tmp_path, (), ()).container_run_args["device_requests"]
    assert (request["Count"], request["Capabilities"]) == (-1, [["gpu"]])


@pytest.mark.docker
def test_steps_see_what_they_read_and_what_opens_buckets(engine, tmp_path, run, monkeypatch):
    key, pictures = tmp_path / "keys" / "key.json", tmp_path / "pictures"
    for folder in (key.parent, pictures):
        folder.mkdir()
    key.write_text("a key")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("KFP_TOKEN", "not theirs")

    def options(**arguments):
        runner = engine.runner(tmp_path / "lock", (pictures,), (), **arguments)
        return {key: runner.container_run_args[key] for key in ("mounts", "environment")}

    look = (
        f"[ -d {pictures} ] && [ -z $KFP_TOKEN ] || exit 9; [ -z $AWS_ACCESS_KEY_ID ] && exit 0; "
        f"cat $GOOGLE_APPLICATION_CREDENTIALS && ! touch $GOOGLE_APPLICATION_CREDENTIALS && exit 7"
    )
    assert run(look, **options()) == 0
    assert run(look, **options(in_buckets=True)) == 7


@pytest.mark.docker
def test_the_whole_machine_cannot_be_mounted(engine, tmp_path):
    with pytest.raises(UsageError, match="cannot mount /: name a folder"):
        engine.runner(tmp_path / "lock", (Path("/"),), ())
