"""Why a run failed, what a task waits for, why a model was not published: a line each."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from kfp_server_api import V2beta1Run

from components.shared.errors import PipelineError, Terminated, one_line
from components.shared.process import LogLine, parse_log_line
from pipeline.cluster.outputs import comparison_of
from pipeline.cluster.pods import is_object, kubernetes_pod, log_of_pod, newest_warning
from pipeline.cluster.server import KfpServer
from pipeline.cluster.tasks import GOING_ON, Task, failed_task, is_withheld, task_of

# Task → section of the `cluster:` configuration with its room; the others' is fixed.
SECTIONS = {
    "ingest": "ingest", "transform": "transform", "train": "train", "export": "export",
    "validate": "evaluate", "evaluate": "evaluate", "compare": "evaluate", "report": "evaluate",
}  # fmt: skip
_KILLED = 137  # exit code of a process that was killed by signal 9
# What Kubeflow's driver and launcher end with: glog's fatal line, of which the head tells
# time and place.
_FATAL = re.compile(r"F\d{4} [\d:.]+ +\d+ [\w.-]+:\d+\] (?P<message>.+)")
# What `components.shared.restarts` says.
_BEGUN_AGAIN = re.compile(r"\[\w+\] .+: beginning again in \d+ s \(\d+ of \d+\)")


class Failure(NamedTuple):
    """Why a run failed; None for what is not known.

    Attributes:
        task: Where.
        why: One line.
        exit_code: The step's own, else that of any failure.
    """

    task: str | None
    why: str | None
    exit_code: int = PipelineError.exit_code


def why_failed(server: KfpServer, run: V2beta1Run) -> Failure:
    """Find where a run failed and why: from the last try's log, and from Kubernetes."""
    task = failed_task(run)
    if task is None:
        return Failure(None, None)
    pod = task.pods[-1] if task.pods else None
    status = ((pod and kubernetes_pod(server, pod)) or {}).get("status", {})
    logs = (log_of_pod(server, run, pod) for pod in reversed(task.pods))
    lines = _last_try(next((log for log in logs if log), "").splitlines())
    error = _step_error(lines)
    if error and error.exit_code not in {Terminated.exit_code, _KILLED}:
        return Failure(task.name, error.message, _exit_code(error))
    if status.get("reason") == "DeadlineExceeded":
        return Failure(task.name, f"past its time: {_raise(task.name, 'timeout_minutes')}")
    fatal = _fatal(lines)
    if killed := _how_killed(status, fatal, error):
        return Failure(task.name, f"{killed}: {_raise(task.name, 'memory')}")
    if error:  # SIGTERM, of which no more is known
        hint = f"evicted, or past its time; for that {_raise(task.name, 'timeout_minutes')}"
        return Failure(task.name, f"{error.message} ({hint})", _exit_code(error))
    return Failure(task.name, fatal or status.get("message") or None)


def with_reasons(server: KfpServer, tasks: Iterable[Task]) -> list[Task]:
    """The tasks, of which those that only wait for their pod to start say what for."""
    return [_with_reason(server, task) for task in tasks]


def why_withheld(server: KfpServer, run: V2beta1Run) -> str | None:
    """Why a run's model was not published; None where it was, or the run is not so far."""
    if not is_withheld(run):
        return None
    compare = task_of(run, "compare")
    pods = compare.pods if compare else ()
    log = (log_of_pod(server, run, pods[-1]) if pods else None) or ""
    said = [line.message for line in map(parse_log_line, log.splitlines()) if line]
    if "not blessed" in said[1:]:
        return said[said.index("not blessed", 1) - 1]
    comparison = comparison_of(server, run)  # compare was a cache hit, or its log is gone
    if comparison.get("blessed") is False:
        return one_line(comparison.get("reason"))
    return "the model was not good enough (see the report)"


def _with_reason(server: KfpServer, task: Task) -> Task:
    if task.state not in GOING_ON or not task.pods:
        return task
    pod = kubernetes_pod(server, task.pods[-1])
    if pod and pod["status"].get("phase") != "Pending":
        return task
    name = pod and (pod.get("metadata") or {}).get("name")
    names = [str(name)] if name else task.pods[-1].names  # a quota lets none be made
    reason = next(filter(None, (newest_warning(server, name) for name in names)), "")
    return task._replace(state="waiting", reason=reason) if reason else task


def _last_try(lines: list[str]) -> list[str]:
    """What a step said since it last began again in its pod."""
    begun = (n for n in reversed(range(len(lines))) if _BEGUN_AGAIN.fullmatch(lines[n].strip()))
    return lines[next(begun, -1) + 1 :]


def _step_error(lines: list[str]) -> LogLine | None:
    found = (parse_log_line(line) for line in reversed(lines))
    return next((line for line in found if line and line.exit_code is not None), None)


def _fatal(lines: list[str]) -> str:
    found = (_FATAL.fullmatch(line.strip()) for line in reversed(lines))
    return next((one_line(match["message"]) for match in found if match), "")


def _exit_code(error: LogLine) -> int:
    """What a process can end with, and no success."""
    code = error.exit_code or 0
    return code if 0 < code < 256 else PipelineError.exit_code


def _how_killed(status: dict[str, Any], fatal: str, error: LogLine | None) -> str:
    """How the step's process was killed, SIGTERM apart; empty where it was not."""
    if "OOMKilled" in _ends(status):
        return "killed for memory"
    if f"exit status {_KILLED}" in fatal or (error and error.exit_code == _KILLED):
        return "killed by signal 9, as where memory runs out"
    return ""


def _ends(status: dict[str, Any]) -> set[str]:
    """How the containers of a pod ended, in Kubernetes' words."""
    containers = filter(is_object, status.get("containerStatuses") or ())
    states = filter(is_object, (one.get("state") for one in containers))
    ends = filter(is_object, (state.get("terminated") for state in states))
    return {str(end.get("reason")) for end in ends}


def _raise(task: str, setting: str) -> str:
    if section := SECTIONS.get(task):
        return f"raise cluster.{section}.{setting}"
    return f"no setting raises its {setting.partition('_')[0]}, which is plenty: see its log"
