"""Runs on Kubeflow: find, follow, stop."""

import re
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from kfp_server_api import V2beta1PipelineTaskDetail, V2beta1Run

from components.shared.errors import UsageError, one_line
from pipeline.cluster.server import KfpServer, NotFound, ServerError
from pipeline.results import TASKS

COLLECT = "collect"  # the task that names the others' files
CLUSTER_TASKS = (*TASKS, COLLECT, "notify")  # notify where there is a webhook

_ENDED = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}
_POLL_SECONDS = 5
_LOSSES = 30  # looks in a row that fail, each after the tries of one request
_SLACK = timedelta(seconds=1)  # the server's times are whole seconds
_EXECUTOR = "executor"  # how Argo shows the pod of any task
# Kubeflow's names for a pod that runs a step: of a task with retries, and of one without.
_TEMPLATES = ("retry-system-container-impl", "system-container-impl")


class Task(NamedTuple):
    """A task of a run, as a person sees it."""

    name: str
    state: str
    seconds: float | None


def find_run(server: KfpServer, name_or_id: str) -> V2beta1Run:
    """The run of this id, else the newest of this name.

    Raises:
        NotFound: There is none.
    """
    identity = name_or_id
    if not _is_id(name_or_id):
        found = server.named(
            server.runs.run_service_list_runs, name_or_id, sort_by="created_at desc", **server.scope
        )
        if (run := next(found, None)) is None:
            raise NotFound(f"no run {name_or_id!r} on {server.host}; see `dcgan runs list`")
        identity = run.run_id
    # Lists of later versions leave out the tasks.
    return server.call(server.runs.run_service_get_run, identity)


def newest_runs(server: KfpServer, experiment_id: str, count: int) -> list[V2beta1Run]:
    """The newest runs of an experiment, newest first."""
    runs = server.pages(
        server.runs.run_service_list_runs, experiment_id=experiment_id,
        sort_by="created_at desc", **server.scope,
    )  # fmt: skip
    return list(islice(runs, count))


def state_of(run: V2beta1Run) -> str:
    """State of a run; a stopped one is CANCELED, which servers end as FAILED."""
    states = [change.state for change in run.state_history or ()]
    if run.state == "FAILED" and "CANCELING" in states:
        return "CANCELED"
    return run.state or "PENDING"


def has_ended(run: V2beta1Run) -> bool:
    """Whether the run's state is final."""
    return state_of(run) in _ENDED


def stop(server: KfpServer, run: V2beta1Run) -> bool:
    """Stop a run; False where it had ended already."""
    if has_ended(run):
        return False
    try:
        server.call(server.runs.run_service_terminate_run, run.run_id)
    except UsageError:  # it may have ended in this moment, or been stopped by the try before
        now = server.call(server.runs.run_service_get_run, run.run_id)
        if state_of(now) == "CANCELING":
            return True
        if not has_ended(now):
            raise
        return state_of(now) == "CANCELED"
    return True


def follow(server: KfpServer, run: V2beta1Run) -> Iterator[V2beta1Run]:
    """The run as it is now, then again and again until it has ended."""
    stopped, lost = False, 0
    while True:
        try:
            now = server.call(server.runs.run_service_get_run, run.run_id)
        except ServerError:  # a run outlives a restart of the server; so should its follower
            lost += 1
            if lost == _LOSSES:
                raise
            time.sleep(_POLL_SECONDS)
            continue
        lost = 0
        stopped = stopped or now.state == "CANCELING"
        if stopped and now.state == "FAILED":
            now.state = "CANCELED"
        if now.error and not now.state:  # all that a server gives of a run that it cannot read
            raise ServerError(
                f"{server.host} cannot read run {run.run_id}: {one_line(now.error.message)}"
            )
        yield now
        if has_ended(now):
            return
        time.sleep(_POLL_SECONDS)


def tasks_of(run: V2beta1Run) -> list[Task]:
    """The tasks that have begun, in the order of the DAG."""
    rows = _rows(run)
    found = {row.display_name: row for row in rows}
    return [
        Task(name, _task_state(found[name], rows), _seconds(found[name]))
        for name in CLUSTER_TASKS
        if name in found
    ]


def pods_of(run: V2beta1Run, task: str) -> list[str]:
    """Names of the pods that a task may have run in, the last try last.

    The API names no pods. It gives Argo's node ids, <workflow>-<hash>, from which Argo makes
    the names of pods, by way of the template: tasks that may be tried again have another.
    """
    rows = _rows(run)
    row = next((row for row in rows if row.display_name == task), None)
    if row is None:
        return []
    return [
        re.sub(r"-(\d+)$", rf"-{template}-\1", node)
        for node in dict.fromkeys([*_children(row), *_tries(row, rows)])
        for template in _TEMPLATES
    ]


def _tries(row: V2beta1PipelineTaskDetail, rows: list[V2beta1PipelineTaskDetail]) -> list[str]:
    """Ids of the nodes of a task's tries, where it may be tried again.

    They are children of an `executor` that does not say whose it is. But a node's id ends in
    the 32-bit FNV-1a hash of its name, and the first try's name is its parent's and "(0)".
    """
    first = set()
    for node in _children(row):
        workflow, _, digits = node.rpartition("-")
        if digits.isdecimal():
            digest = int(digits)
            for byte in b"(0)":
                digest = (digest ^ byte) * 0x01000193 % 2**32
            first.add(f"{workflow}-{digest}")
    executors = [_children(one) for one in rows if one.display_name == _EXECUTOR]
    return next((nodes for nodes in executors if first & set(nodes)), [])


def _children(row: V2beta1PipelineTaskDetail) -> list[str]:
    return [child.pod_name for child in row.child_tasks or () if child.pod_name]


def _rows(run: V2beta1Run) -> list[V2beta1PipelineTaskDetail]:
    details = run.run_details and run.run_details.task_details
    return [row for row in details or () if row.display_name]  # some are the cache's own


def _task_state(row: V2beta1PipelineTaskDetail, rows: list[V2beta1PipelineTaskDetail]) -> str:
    """The API has no state for a cache hit: the task has succeeded, and its pod is skipped."""
    if row.state == "SUCCEEDED" and not _tries(row, rows) and _is_skipped(row, rows):
        return "cached"
    return (row.state or "omitted").lower()


def _is_skipped(row: V2beta1PipelineTaskDetail, rows: list[V2beta1PipelineTaskDetail]) -> bool:
    """Whether a pod is skipped that would have begun with the task; a skipped one has no id."""
    return any(
        pod.display_name == _EXECUTOR
        and pod.state == "SKIPPED"
        and _is_set(pod.start_time)
        and _is_set(row.start_time)
        and abs(pod.start_time - row.start_time) <= _SLACK
        for pod in rows
    )


def _seconds(row: V2beta1PipelineTaskDetail) -> float | None:
    if not (_is_set(row.start_time) and _is_set(row.end_time)):
        return None
    return float((row.end_time - row.start_time).total_seconds())


def _is_set(moment: datetime | None) -> bool:
    return moment is not None and moment.year > 1970  # the server's way to say that it is not


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
