"""The DAG on this machine, through kfp's own local runner."""

import contextlib
import os
import shutil
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.export.packages import check_packages
from components.shared.contracts import STEPS
from components.shared.errors import PipelineError, UsageError, one_line
from components.shared.process import PARENT_LOCK_VARIABLE, LogLine, storage_error
from pipeline.config import PipelineConfig
from pipeline.container_images import ContainerImages
from pipeline.image_packages import check_image
from pipeline.preflight import check
from pipeline.reach import reach_of
from pipeline.results import LATEST, RunSummary, point_latest_at, save_results
from pipeline.subprocess_runner import run_process
from pipeline.task_folders import lock_of, task_folders
from pipeline.task_log import TaskLog

if TYPE_CHECKING:
    from pipeline.docker_runner import DockerEngine

STEPS_FOLDER = ".steps"  # kfp's own folders, one per run; the cache refers to them
CACHE = ".cache"
CHECKPOINTS = "checkpoints"
_LOGS = "logs"
# One run a process: it replaces stdout and kfp's local session, of which there is one.
_running = threading.Lock()


def run_locally(
    config: PipelineConfig,
    runs_dir: Path,
    publish_root: str,
    show: Callable[[LogLine], None],
    containers: ContainerImages | None = None,
) -> RunSummary:
    """Run the DAG and gather what it made in a folder of its own.

    Args:
        config: Resolved configuration.
        runs_dir: Parent of all runs, of the cache and of the checkpoints.
        publish_root: Where a blessed model goes: a folder, `gs://…` or `s3://…`.
        show: Called with each line that a task logs.
        containers: Images to run the steps in; None for processes of this machine.

    Returns:
        The summary, saved as `run.json` in the new folder `runs_dir/<time>`, to which
        `runs_dir/latest` then points where it can.

    Raises:
        PipelineError: A task failed; of the task's own kind, with its message.
        UsageError: It could not end well, or another run goes on in this process.
        KeyboardInterrupt: Ctrl-C.
    """
    if not _running.acquire(blocking=False):
        raise UsageError(
            "another run goes on in this process: wait for its end, or start a process for this one"
        )
    try:
        return _run_alone(config, runs_dir, publish_root, show, containers)
    finally:
        _running.release()


def _run_alone(
    config: PipelineConfig,
    runs_dir: Path,
    publish_root: str,
    show: Callable[[LogLine], None],
    containers: ContainerImages | None,
) -> RunSummary:
    started = time.monotonic()
    engine = refuse_early(config, runs_dir, publish_root, show, containers)
    name = datetime.now().strftime("%Y-%m-%d-%H%M%S-%f")[:-3]  # to the millisecond
    log_path = runs_dir / _LOGS / f"{name}.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    opened = log_path.open("w", encoding="utf-8")
    with opened as file, task_folders(runs_dir / STEPS_FOLDER, name) as tasks:
        log = TaskLog(file, show)
        try:
            with _hearing_ctrl_c(log, engine):
                outputs = _run_dag(config, runs_dir, tasks, publish_root, log, engine)
        except Exception as error:
            traceback.print_exc(file=file)
            raise _explain(error, log, log_path, runs_dir) from error
    summary = save_results(
        runs_dir / name, config, publish_root, outputs, log.seconds, time.monotonic() - started
    )
    if obstacle := point_latest_at(summary.folder):
        told = f"{runs_dir / LATEST} does not lead to {summary.folder}: {obstacle}"
        show(LogLine("run", told))
    return summary


def refuse_early(
    config: PipelineConfig,
    runs_dir: Path,
    publish_root: str,
    show: Callable[[LogLine], None],
    containers: ContainerImages | None,
    pull: bool = True,
) -> "DockerEngine | None":
    """Refuse what could not end well; the engine where steps run in containers."""
    check(config, runs_dir, publish_root)
    if obstacle := point_latest_at(runs_dir / "this run", only_try=True):
        show(LogLine("run", f"{runs_dir / LATEST} will not lead to this run: {obstacle}"))
    if not containers:  # whose images have packages of their own
        check_packages(config.export)
        return None
    if not containers.tag:  # which may name an image with more in it
        check_image(
            config.export,
            containers.reference("export"),
            "use --runner subprocess, or name one by --tag that does",
        )
    from pipeline.docker_runner import DockerEngine

    return DockerEngine(containers, runs_dir, show, pull)


@contextlib.contextmanager
def _hearing_ctrl_c(log: TaskLog, engine: "DockerEngine | None") -> Iterator[None]:
    """Have Ctrl-C stop the run; in other threads than the main one, signals cannot be heard."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        log.stop()
        if engine:  # a container does not hear the terminal's Ctrl-C, as a process does
            engine.stop()

    usual = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


def _run_dag(
    config: PipelineConfig,
    runs_dir: Path,
    tasks: Path,
    publish_root: str,
    log: TaskLog,
    engine: "DockerEngine | None",
) -> dict[str, Any]:
    from kfp import local
    from kfp.local import subprocess_task_handler

    from pipeline.dag import make_dag

    checkpoints = runs_dir / CHECKPOINTS
    checkpoints.mkdir(exist_ok=True)
    inherited = {}  # by the tasks
    if engine:
        reach = reach_of(config, publish_root)
        # Cached artifacts lie in the folders of older runs.
        read, write = [*reach.read, tasks.parent], [*reach.write, checkpoints]
        runner = engine.runner(lock_of(tasks), read, write, reach.in_buckets)
        dag = make_dag(engine.images.place)
    else:
        subprocess_task_handler.run_local_subprocess = run_process
        inherited = {
            PARENT_LOCK_VARIABLE: str(lock_of(tasks)),
            "PYTHONIOENCODING": "utf-8:backslashreplace",
            "PYTHONUNBUFFERED": "1",
            "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        }
        runner = local.SubprocessRunner(use_venv=False)
        dag = make_dag()
    local.init(
        runner,
        pipeline_root=str(tasks),
        enable_caching=True,
        cache_root=str(runs_dir / CACHE),
    )
    with _environment(inherited), warnings.catch_warnings(), contextlib.redirect_stdout(log):
        # The runner takes the word "python" in an image's name for a sign that it fits.
        warnings.filterwarnings("ignore", ".*non-Python base image", RuntimeWarning)
        task = dag(**dag_arguments(config, runs_dir, publish_root))
    return dict(task.outputs)


def dag_arguments(config: PipelineConfig, runs_dir: Path, publish_root: str) -> dict[str, Any]:
    """The DAG's arguments by their names."""
    values = config.model_dump(mode="json")
    return {
        "images": config.sources,
        "publish_root": publish_root,
        "checkpoint_root": str(runs_dir / CHECKPOINTS),
        "paranoid": config.paranoid,
        **{f"{section}_config": values[section] for section in STEPS},
    }


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for the tasks, which are processes of this one, while the block runs."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _explain(error: Exception, log: TaskLog, log_path: Path, runs_dir: Path) -> PipelineError:
    """Say why the DAG ended, in the words of the task where it has some."""
    if log.error is not None:
        message = f"{log.error.task}: {log.error.message}"
        if log.error.exit_code == PipelineError.exit_code:
            message += f"; see {log_path}"
        kinds = {kind.exit_code: kind for kind in PipelineError.__subclasses__()}
        return kinds.get(log.error.exit_code or 1, PipelineError)(message)
    if known_storage := storage_error(error):
        return known_storage
    if shutil.disk_usage(runs_dir).free < 2**20:
        return UsageError(f"no space left in {runs_dir}: make room or choose another --runs-dir")
    if not str(error).startswith("Pipeline "):  # kfp's own word for a task that failed
        return PipelineError(f"{type(error).__name__}: {one_line(error)}; see {log_path}")
    return PipelineError(
        f"{log.last_task or 'the first task'} ended without a word, as when it is killed or "
        f"memory runs out; the same command goes on from there; see {log_path}"
    )
