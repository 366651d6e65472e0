"""Flink for tests: its jars by Maven, its processes for as long as a test wants them."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.ports import free_port, listens

_ROOT = Path(__file__).parents[1]
_POM = Path(__file__).with_name("flink.pom.xml")
# What a TaskManager may take, MiB; Flink's own script works them out, and none is optional.
_MEMORY = {
    "framework.heap.size": 64,
    "framework.off-heap.size": 64,
    "task.heap.size": 192,
    "task.off-heap.size": 0,
    "managed.size": 64,
    "network.min": 128,
    "network.max": 128,
    "jvm-metaspace.size": 128,
    "jvm-overhead.min": 64,
    "jvm-overhead.max": 64,
}
_OPEN = [  # what Flink reaches into since Java 17
    f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("lang", "util")
]


def missing_tool() -> str | None:
    """Say what Flink's tests lack on this machine."""
    missing = [tool for tool in ("java", "mvn") if shutil.which(tool) is None]
    return f"no {' and no '.join(missing)}: Flink's tests need both" if missing else None


def job_server_jar(cache: Path) -> Path:
    """Beam's job server, as Beam itself would release it; made once."""

    def make(target: Path) -> Path:
        _maven("job-server", target, "package")
        return target / "job-server.jar"

    return _made_once(cache / "job-server.jar", make)


def cluster_classpath(cache: Path) -> str:
    """Flink's jars, without any of Beam's; looked up once."""

    def make(target: Path) -> Path:
        path = target / "classpath.txt"
        _maven("cluster", target, "dependency:build-classpath", f"-Dmdep.outputFile={path}")
        return path

    return _made_once(cache / "classpath.txt", make).read_text()


def _made_once(path: Path, make: Callable[[Path], Path]) -> Path:
    if not path.exists() or path.stat().st_mtime < _POM.stat().st_mtime:
        with tempfile.TemporaryDirectory(dir=path.parent) as target:
            make(Path(target)).replace(path)
    return path


def _maven(profile: str, target: Path, *goals: str) -> None:
    command = ["mvn", "-q", "-B", "-f", _POM, "-P", profile, f"-Dtarget={target}", *goals]
    subprocess.run(command, check=True)


@contextlib.contextmanager
def local(cache: Path, folder: Path) -> Iterator[list[str]]:
    """Run a job server that computes in its own process, by workers in the test's; options."""
    port = free_port()
    command = [
        *("java", "-Xmx512m", "-jar", job_server_jar(cache), "--flink-master=[local]"),
        *(f"--job-port={port}", "--artifact-port=0", "--expansion-port=0"),
        f"--artifacts-dir={folder / 'artifacts'}",
    ]
    with _process(command, folder / "job-server.log") as alive:
        _wait_until(lambda: listens(port), alive)
        yield ["--runner=FlinkRunner", f"--job_endpoint=localhost:{port}", "--parallelism=2"]


@contextlib.contextmanager
def session(cache: Path, folder: Path) -> Iterator[list[str]]:
    """Run a cluster of two slots and Python workers in processes of their own; options."""
    master, workers = free_port(), free_port()
    config = {
        "rest.address": "localhost",
        "rest.port": master,
        "jobmanager.rpc.address": "localhost",
        "jobmanager.rpc.port": free_port(),
        "taskmanager.host": "localhost",
        "taskmanager.numberOfTaskSlots": 2,
        "taskmanager.cpu.cores": 2,
        "io.tmp.dirs": str(folder),
        **{f"taskmanager.memory.{key}": f"{size}m" for key, size in _MEMORY.items()},
    }
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in config.items()]
    (folder / "config.yaml").write_text("".join(lines))
    java = ["java", "-Xmx512m", *_OPEN, "-cp", cluster_classpath(cache)]
    flink = "org.apache.flink.runtime"
    with contextlib.ExitStack() as running:
        alive = [
            running.enter_context(_process(command, folder / f"{name}.log"))
            for name, command in {
                "jobmanager": [
                    *(*java, f"{flink}.entrypoint.StandaloneSessionClusterEntrypoint"),
                    *("--configDir", folder),
                ],
                "taskmanager": [
                    *(*java, f"{flink}.taskexecutor.TaskManagerRunner"),
                    *("--configDir", folder),
                ],
                "workers": [
                    *(sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"),
                    f"--service_port={workers}",
                ],
            }.items()
        ]
        _wait_until(
            lambda: _free_slots(master) == 2 and listens(workers),
            lambda: [check() for check in alive],
        )
        yield [
            *("--runner=FlinkRunner", f"--flink_master=localhost:{master}", "--parallelism=2"),
            *("--flink_submit_uber_jar", f"--flink_job_server_jar={job_server_jar(cache)}"),
            *("--environment_type=EXTERNAL", f"--environment_config=localhost:{workers}"),
            "--sdk_worker_parallelism=2",
        ]


@contextlib.contextmanager
def _process(command: list[object], log: Path) -> Iterator[Callable[[], None]]:
    """Run a process and its children; yields what raises once it has ended."""
    python = Path(sys.executable).parent  # the pool starts its workers as `python`
    environment = {
        **os.environ,
        "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(_ROOT),
    }
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [str(part) for part in command],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):

        def alive() -> None:
            if process.poll() is not None:
                raise RuntimeError(f"{log.stem} ended: {log.read_text()[-2000:]}")

        try:
            yield alive
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _wait_until(ready: Callable[[], bool], alive: Callable[[], object]) -> None:
    while not ready():
        alive()
        time.sleep(0.1)


def _free_slots(master: int) -> int:
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://localhost:{master}/overview", timeout=5) as answer,
    ):
        free: int = json.load(answer)["slots-available"]
        return free
    return 0
