"""What a run on Kubeflow leaves: logs of its pods, and files to take home."""

from pathlib import Path

from kfp_server_api import V2beta1Run

from components.shared.contracts import GIF, REPORT, SCORES
from components.shared.errors import PipelineError, UsageError
from components.shared.files import complete_or_absent
from components.shared.process import LogLine, parse_log_line
from pipeline.cluster.runs import CLUSTER_TASKS, COLLECT, pods_of
from pipeline.cluster.server import KfpServer, NotFound, ServerError
from pipeline.results import TASKS

_FILES = {"report": REPORT, "gif": GIF, "metrics": SCORES}
_BEGINS = {"report": b"<", "gif": b"GIF8", "metrics": b"{"}
_SOURCES = {"minio": "minio", "s3": "s3", "gs": "gcs"}  # scheme → what the UI calls it


def log_of(server: KfpServer, run: V2beta1Run, task: str) -> str:
    """Log of all tries of a task that the server still has, oldest first.

    Raises:
        UsageError: The pipeline has no such task.
        PipelineError: No log is to be had.
    """
    if task not in CLUSTER_TASKS:
        raise UsageError(f"no task {task!r}: choose one of {', '.join(TASKS)}")
    logs = [log for pod in pods_of(run, task) if (log := _pod_log(server, run, pod))]
    if not logs:
        raise PipelineError(
            f"no log of {task} in run {run.display_name}: it has not begun, was a cache hit, or "
            "its pod is gone"
        )
    return "".join(log if log.endswith("\n") else f"{log}\n" for log in logs)


def _pod_log(server: KfpServer, run: V2beta1Run, pod: str) -> str | None:
    """A pod's log from the API's server, else from the UI's; None where neither has it."""
    named = {"podname": pod, "runid": run.run_id, "podnamespace": server.pods}
    for path, query in (
        (f"/apis/v1alpha1/runs/{run.run_id}/nodes/{pod}/log", None),
        ("/k8s/pod/logs", named),
    ):
        try:
            text = server.get_raw(path, query, once=True).decode(errors="replace")
        except (ServerError, UsageError):
            continue
        if not text.lstrip().lower().startswith("<!doctype html"):  # the UI's page for any path
            return text
    return None


def error_of(server: KfpServer, run: V2beta1Run, task: str) -> LogLine | None:
    """The error that a failed task ended with, in its own words, where its log tells."""
    try:
        lines = log_of(server, run, task).splitlines()
    except PipelineError:
        return None
    found = (parse_log_line(line) for line in reversed(lines))
    return next((line for line in found if line and line.exit_code is not None), None)


def fetch(server: KfpServer, run: V2beta1Run, folder: Path) -> list[Path]:
    """Bring report, GIF and metrics home.

    Kubeflow's API does not say where a run's artifacts are, so the pipeline's last task
    writes it to its log. The files come through the UI's server.

    Args:
        server: Its host must be that of the UI.
        run: One that has succeeded.
        folder: Folder to make; it must not exist.

    Raises:
        PipelineError: The log or a file is not to be had.
    """
    lines = map(parse_log_line, log_of(server, run, COLLECT).splitlines())
    uris = dict(line.message.partition(" ")[::2] for line in lines if line)
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
