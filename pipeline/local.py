"""The DAG on this machine, through kfp's own local runner."""

import contextlib
import os
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.export.packages import check_packages
from components.ingest.addresses import all_addresses, local_paths
from components.shared.buckets import is_remote
from components.shared.contracts import STEPS
from components.shared.errors import Interrupted, PipelineError, UsageError, one_line
from components.shared.process import PARENT_LOCK_VARIABLE, LogLine, storage_error
from components.train.config import BASE
from pipeline.config import PipelineConfig
from pipeline.container_images import ContainerImages
from pipeline.preflight import check
from pipeline.results import RunSummary, save_results
from pipeline.step_folders import lock_of, step_folders
from pipeline.step_log import StepLog

if TYPE_CHECKING:
    from pipeline.docker_runner import DockerEngine

_STEPS = ".steps"  # kfp's own folders, one per run; the cache refers to them
CACHE = ".cache"
CHECKPOINTS = "checkpoints"
_LOGS = "logs"


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
        show: Called with each line that a step logs.
        containers: Images to run the steps in; None for processes of this machine.

    Returns:
        The summary, saved as `run.json` in the new folder `runs_dir/<time>`, to which
        `runs_dir/latest` then points.

    Raises:
        PipelineError: A step failed; carries the step's own message and exit code.
    """
    started = time.monotonic()
    engine = refuse_early(config, runs_dir, publish_root, show, containers)
    name = datetime.now().strftime("%Y-%m-%d-%H%M%S-%f")[:-3]  # to the millisecond
    log_path = runs_dir / _LOGS / f"{name}.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("w") as file, step_folders(runs_dir / _STEPS, name) as steps:
        log = StepLog(file, show)
        signal.signal(signal.SIGINT, lambda *_: _interrupt(log, engine))
        try:
            outputs = _run_dag(config, runs_dir, steps, publish_root, log, engine)
        except KeyboardInterrupt:
            raise Interrupted("stopped; the same command goes on from there") from None
        except Exception as error:
            traceback.print_exc(file=file)
            raise _explain(error, log, log_path, runs_dir) from error
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    return save_results(
        runs_dir / name, config, publish_root, outputs, log.seconds, time.monotonic() - started
    )


def refuse_early(
    config: PipelineConfig,
    runs_dir: Path,
    publish_root: str,
    show: Callable[[LogLine], None],
    containers: ContainerImages | None,
    pull: bool = True,
) -> "DockerEngine | None":
    """Raise UsageError for what could not end well; the engine where steps run in containers."""
    check(config, runs_dir, publish_root)
    if not containers:  # whose images have packages of their own
        check_packages(config.export)
        return None
    from pipeline.docker_runner import DockerEngine

    return DockerEngine(containers, runs_dir, show, pull)


def _interrupt(log: StepLog, engine: "DockerEngine | None") -> None:
    log.stop()
    if engine:  # a container does not hear the terminal's Ctrl-C, as a process does
        engine.stop()


def _run_dag(
    config: PipelineConfig,
    runs_dir: Path,
    steps: Path,
    publish_root: str,
    log: StepLog,
    engine: "DockerEngine | None",
) -> dict[str, Any]:
    from kfp import local

    from pipeline.dag import make_dag

    checkpoints = runs_dir / CHECKPOINTS
    checkpoints.mkdir(exist_ok=True)
    if engine:
        # Cached artifacts lie in the folders of older runs.
        named = local_paths(f"{config.sources}\n{config.evaluate.extractor_source}")
        if config.train.warm_start != BASE:
            named += local_paths(config.train.warm_start)
        read, write = (*named, steps.parent), [checkpoints]
        if not is_remote(publish_root):
            write.append(Path(publish_root))
        outside = (*all_addresses(config.sources), publish_root, config.train.warm_start)
        in_buckets = any(map(is_remote, outside))
        runner = engine.runner(lock_of(steps), read, write, in_buckets)
        dag = make_dag(engine.images.place)
    else:
        runner = _subprocess_runner(lock_of(steps))
        dag = make_dag()
    local.init(
        runner,
        pipeline_root=str(steps),
        enable_caching=True,
        cache_root=str(runs_dir / CACHE),
    )
    with contextlib.redirect_stdout(log):
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


def _subprocess_runner(lock: Path) -> Any:
    from kfp import local

    os.environ.update({PARENT_LOCK_VARIABLE: str(lock), "PYTHONUNBUFFERED": "1"})
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # The runner takes the word "python" in an image's name for a sign that it fits.
    warnings.filterwarnings("ignore", message=".*non-Python base image", category=RuntimeWarning)
    return local.SubprocessRunner(use_venv=False)


def _explain(error: Exception, log: StepLog, log_path: Path, runs_dir: Path) -> PipelineError:
    """Say why the DAG ended, in the words of the step where it has some."""
    if log.error is not None:
        message = f"{log.error.step}: {log.error.message}"
        if log.error.exit_code == PipelineError.exit_code:
            message += f"; see {log_path}"
        known = PipelineError(message)
        known.exit_code = log.error.exit_code or PipelineError.exit_code
        return known
    if known_storage := storage_error(error):
        return known_storage
    if shutil.disk_usage(runs_dir).free < 2**20:
        return UsageError(f"no space left in {runs_dir}: make room or choose another --runs-dir")
    if not str(error).startswith("Pipeline "):  # kfp's own word for a step that failed
        return PipelineError(f"{type(error).__name__}: {one_line(error)}; see {log_path}")
    return PipelineError(
        f"{log.last_step or 'the first step'} ended without a word, as when it is killed or "
        f"memory runs out; the same command goes on from there; see {log_path}"
    )
