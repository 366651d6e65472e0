"""What a run on Kubeflow leaves: logs of its pods, and files to take home."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kfp_server_api import V2beta1Run

from components.shared.contracts import GIF, REPORT, SCORES_FILE
from components.shared.errors import PipelineError, UsageError
from components.shared.files import complete_or_absent
from components.shared.process import parse_log_line
from pipeline.cluster.pods import log_of_pod
from pipeline.cluster.runs import follow
from pipeline.cluster.server import KfpServer, NotFound
from pipeline.cluster.tasks import (
    CLUSTER_TASKS,
    COLLECT,
    GOING_ON,
    Pod,
    failed_task,
    has_ended,
    is_withheld,
    task_of,
)

_FILES = {"report": REPORT, "gif": GIF, "metrics": SCORES_FILE}
_BEGINS = {"report": b"<", "gif": b"GIF8", "metrics": b"{"}
_SOURCES = {"minio": "minio", "s3": "s3", "gs": "gcs"}  # scheme → what the UI calls it


def log_of(server: KfpServer, run: V2beta1Run, task: str) -> str:
    """Log of all tries of a task that the server still has, oldest first.

    Raises:
        UsageError: The pipeline has no such task.
        PipelineError: No log is to be had.
    """
    _check_name(task)
    logs = [log for pod in _pods(run, task) if (log := log_of_pod(server, run, pod))]
    if not logs:
        raise _no_log(run, task)
    return "".join(map(_whole_lines, logs))


def follow_log(server: KfpServer, run: V2beta1Run, task: str) -> Iterator[str]:
    """A task's log as it grows, whole lines, all tries, until the task has ended.

    Raises:
        UsageError: The pipeline has no such task.
        PipelineError: The task has ended, and no log is to be had.
    """
    _check_name(task)
    shown: dict[Pod, str] = {}
    for now in follow(server, run):
        found = task_of(now, task)
        ended = has_ended(now) or bool(found and found.state not in {*GOING_ON, "omitted"})
        pods = _pods(now, task)
        for pod in pods:
            log = log_of_pod(server, now, pod) or ""
            goes_on = not ended and pod == pods[-1]
            log = log[: log.rfind("\n") + 1] if goes_on else log and _whole_lines(log)
            if new := _new_in(log, shown.get(pod, "")):
                yield new
                shown[pod] = log
        if ended and not shown:
            raise _no_log(now, task)
        if ended:
            return


def comparison_of(server: KfpServer, run: V2beta1Run) -> dict[str, Any]:
    """What compare said of the model of a run; empty where that is not to be had."""
    try:
        comparison = json.loads(_artifact(server, _uris(server, run)["comparison"]))
    except (PipelineError, KeyError, ValueError):
        return {}
    return comparison if isinstance(comparison, dict) else {}


def _uris(server: KfpServer, run: V2beta1Run) -> dict[str, str]:
    """Where a run's results are: the API does not say it, so the last task logs it."""
    lines = map(parse_log_line, log_of(server, run, COLLECT).splitlines())
    return dict(line.message.partition(" ")[::2] for line in lines if line)


def _check_name(task: str) -> None:
    if task not in CLUSTER_TASKS:
        raise UsageError(f"no task {task!r}: choose one of {', '.join(CLUSTER_TASKS)}")


def _no_log(run: V2beta1Run, name: str) -> PipelineError:
    """Why there is none."""
    task, failed = task_of(run, name), failed_task(run)
    state = task.state if task else "omitted"
    why = "its log is gone, or has not been written"
    if state == "cached":
        why = "it was a cache hit, whose log is that of the run that computed it"
    elif state == "omitted" and name == "publish" and is_withheld(run):
        why = "it did not run, since the model was not good enough"
    elif state == "omitted" and failed and failed.name != name:
        why = f"it did not run, since {failed.name} failed"
    elif state == "omitted":
        why = "it did not run" if has_ended(run) else "it has not begun"
    elif state in GOING_ON:
        why = "its pod has not begun to write"
    return PipelineError(f"no log of {name} in run {run.display_name}: {why}")


def _pods(run: V2beta1Run, task: str) -> tuple[Pod, ...]:
    found = task_of(run, task)
    return found.pods if found else ()


def _new_in(log: str, shown: str) -> str:
    """What of a log was not shown yet; it begins later once it was rotated."""
    if log in shown:
        return ""
    lines, (first, *_) = (text.splitlines(keepends=True) for text in (shown, log))
    for start, line in enumerate(lines):
        if line == first and log.startswith(rest := "".join(lines[start:])):
            return log.removeprefix(rest)
    _, last, new = log.rpartition(lines[-1]) if lines else ("", "", log)
    return new if last else log


def _whole_lines(log: str) -> str:
    return log if log.endswith("\n") else f"{log}\n"


def fetch(server: KfpServer, run: V2beta1Run, folder: Path) -> list[Path]:
    """Bring report, GIF and metrics home.

    The files come through the UI's server.

    Args:
        server: Its host must be that of the UI.
        run: One that has succeeded.
        folder: Folder to make; it must not exist.

    Raises:
        PipelineError: The log or a file is not to be had.
    """
    uris = _uris(server, run)
    if missing := _FILES.keys() - uris.keys():
        raise PipelineError(
            f"run {run.display_name} does not say where its {', '.join(sorted(missing))} is; "
            f"see {server.run_link(run.run_id)}"
        )
    with complete_or_absent(folder) as target:
        for name, file in _FILES.items():
            content = _artifact(server, uris[name])
            if not content.startswith(_BEGINS[name]):  # a page in its place
                raise PipelineError(
                    f"{server.host} gave something else for {uris[name]}: cluster.host must be "
                    "the UI's server, and the log-in be good"
                )
            (target / file).write_bytes(content)
    return [folder / file for file in _FILES.values()]


def _artifact(server: KfpServer, uri: str) -> bytes:
    scheme, _, path = uri.partition("://")
    bucket, _, key = path.partition("/")
    if scheme not in _SOURCES:
        raise PipelineError(f"cannot fetch {uri}: the UI's server reads minio, s3 and gs")
    query = {"source": _SOURCES[scheme], "bucket": bucket, "key": key}
    try:
        return server.get_raw("/artifacts/get", query | server.scope)
    except NotFound:
        raise PipelineError(
            f"{server.host} has no {uri}: cluster.host must be the UI's server"
        ) from None
