"""A run's state, its tasks, their tries and pods, as the API's answer gives them.

The answer has a row for each of Argo's nodes. A row has no id, but its children's. An id is
``<workflow>-<hash>``: the 32-bit FNV-1a hash of the node's name, which begins with its parent's
name. So from a node's id follow the ids of the nodes beneath it, whatever stands above.
Kubeflow Pipelines 2.17.0 has Argo try every node again:

    train → train(0) → train(0).executor → train(0).executor(0), train(0).executor(1) …

Before 2.17.0, and where a cluster's administrator wants it so, only a task with retries:

    train → train.executor → train.executor(0), train.executor(1) …
    train → train.executor    without retries
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, takewhile
from typing import NamedTuple

from kfp_server_api import V2beta1PipelineTaskDetail, V2beta1Run

from pipeline.results import TASKS

COLLECT = "collect"  # the task that names the others' files
CLUSTER_TASKS = (*TASKS, COLLECT, "notify")  # notify where there is a webhook
GOING_ON = {"running", "pending"}

_ENDED = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}
_EXECUTOR = "executor"  # how Argo shows the pods of any task
_NODE = re.compile(r".+-\d+")  # an id of Argo's
_FIRST = datetime.min.replace(tzinfo=UTC)
# Templates, which are in the names of pods: of a step with retries, without; of a driver.
_STEP = ("retry-system-container-impl", "system-container-impl")
_DRIVER = ("system-container-driver", "system-container-impl")  # an archived log has the second


class Pod(NamedTuple):
    """A pod that ran one try.

    Attributes:
        node: Argo's id of it, ``<workflow>-<hash>``.
        templates: Those that it may have been made from.
    """

    node: str
    templates: tuple[str, ...] = _STEP

    @property
    def workflow(self) -> str:
        """Argo's name of the run."""
        return self.node.rpartition("-")[0]

    @property
    def names(self) -> list[str]:
        """Names that the pod may have; the API gives none."""
        workflow, _, digits = self.node.rpartition("-")
        return [f"{workflow}-{template}-{digits}" for template in self.templates]


class Task(NamedTuple):
    """A task of a run, as a person sees it.

    Attributes:
        name: As in the DAG.
        state: The API's, in small letters, or `cached`, `omitted`, `stopped`, `waiting`, and
            `unknown` where the run ended without a word about the task.
        seconds: How long it took, None where that is not known.
        pods: Of its tries, the first try first.
        reason: What it waits for.
    """

    name: str
    state: str
    seconds: float | None
    pods: tuple[Pod, ...] = ()
    reason: str = ""


def state_of(run: V2beta1Run) -> str:
    """State of a run; a stopped one is CANCELED, which servers end as FAILED."""
    if run.state == "FAILED" and _stopped_at(run):
        return "CANCELED"
    return run.state or "PENDING"


def word_of(state: str) -> str:
    """A run's state as a person calls it."""
    return {"CANCELED": "stopped", "CANCELING": "being stopped"}.get(state, state.lower())


def has_ended(run: V2beta1Run) -> bool:
    """Whether the run's state is final."""
    return state_of(run) in _ENDED


def tasks_of(run: V2beta1Run) -> list[Task]:
    """The tasks that have begun, in the order of the DAG."""
    rows = _Rows(run)
    return [task for name in CLUSTER_TASKS if (task := _task(run, rows, name))]


def task_of(run: V2beta1Run, name: str) -> Task | None:
    """One of the tasks; None where it has not begun."""
    return next((task for task in tasks_of(run) if task.name == name), None)


def failed_task(run: V2beta1Run) -> Task | None:
    """The task that a run failed in, or the part of the DAG whose driver failed."""
    if failed := next((task for task in tasks_of(run) if task.state == "failed"), None):
        return failed
    rows = _Rows(run)
    drivers = [name.removesuffix("-driver") for name in rows.named if name.endswith("-driver")]
    return next(filter(None, (_failed_driver(rows, name) for name in drivers)), None)


def is_withheld(run: V2beta1Run) -> bool:
    """Whether the model was not good enough to be published: the condition was not met."""
    named = _Rows(run).named
    conditions = [name for name in named if re.fullmatch(r"condition-\d+", name)]
    skipped = any(named[name][-1].state == "SKIPPED" for name in conditions)
    return skipped and "publish" not in named


class _Rows:
    """The rows of a run.

    Attributes:
        named: Display name → its rows, the oldest first: a DAG that is tried again has new
            rows of the same names.
        executors: Those of tasks, of which none says whose it is.
        ids: Of all nodes that are anyone's child.
        tries: Of all that are an executor's child.
    """

    def __init__(self, run: V2beta1Run) -> None:
        details = (run.run_details and run.run_details.task_details) or ()
        rows = [row for row in details if row and row.display_name]  # some are the cache's own
        self.named: dict[str, list[V2beta1PipelineTaskDetail]] = {}
        for row in sorted(rows, key=lambda row: row.start_time or _FIRST):
            self.named.setdefault(row.display_name, []).append(row)
        self.executors = self.named.get(_EXECUTOR, [])
        self.ids = {child for row in rows for child in _children(row)}
        self.tries = {child for row in self.executors for child in _children(row)}

    def tried(self, row: V2beta1PipelineTaskDetail) -> list[str]:
        """Ids of the nodes of a task's tries, where Argo counts them."""
        return [node for one in self._executors_of(row) for node in self._tries_of(one)]

    def untried(self, row: V2beta1PipelineTaskDetail) -> list[str]:
        """Id of a task's only pod, where Argo does not count tries.

        The API does not say which task's pod was skipped, so where one of them ran, all
        count as run.
        """
        if f"{row.display_name}(0)" in self.named or not row.state:
            return []
        counted = {
            node for name in CLUSTER_TASKS for one in self.named.get(name, ())
            for node in self.tried(one)
        }  # fmt: skip
        alone = [one for one in self.executors if not counted & set(_children(one))]
        ran = any(one.state != "SKIPPED" for one in alone)
        return _children(row) if ran else []

    def _executors_of(self, row: V2beta1PipelineTaskDetail) -> Iterator[str]:
        for child in _children(row):
            beneath = _beneath(child, f".{_EXECUTOR}")
            yield beneath if beneath in self.ids else child

    def _tries_of(self, executor: str) -> Iterator[str]:
        tries = (_beneath(executor, f"({number})") for number in count())
        return takewhile(self.tries.__contains__, tries)


def _task(run: V2beta1Run, rows: _Rows, name: str) -> Task | None:
    found = rows.named.get(name, [])
    newest = found[-1] if found else None
    if not (newest and newest.state) and (failed := _failed_driver(rows, name)):
        return failed
    if newest is None:
        return None
    nodes = [node for row in found for node in rows.tried(row)] or rows.untried(newest)
    state = _task_state(run, newest, bool(nodes))
    seconds = None if state == "omitted" else _seconds(newest)
    return Task(name, state, seconds, tuple(map(Pod, nodes)))


def _task_state(run: V2beta1Run, row: V2beta1PipelineTaskDetail, has_pod: bool) -> str:
    if row.state == "SUCCEEDED" and not has_pod:  # the API has no state for a cache hit
        return "cached"
    if row.state in {"RUNNING", "PENDING"} and has_ended(run):
        return "unknown"
    stopped_at = _stopped_at(run)
    if row.state == "FAILED" and stopped_at and _is_set(row.end_time):
        return "stopped" if row.end_time >= stopped_at else "failed"
    return (row.state or "omitted").lower()


def _failed_driver(rows: _Rows, name: str) -> Task | None:
    """A task that did not begin since its driver failed, which prepares it."""
    driver = f"{name}-driver"
    found = rows.named.get(driver)
    if not found or found[-1].state != "FAILED":
        return None
    # Only where Argo counts a driver's tries is the row's child a try of it.
    nodes = _children(found[-1]) if f"{driver}(0)" in rows.named else []
    return Task(name, "failed", _seconds(found[-1]), tuple(Pod(node, _DRIVER) for node in nodes))


def _children(row: V2beta1PipelineTaskDetail) -> list[str]:
    names = [child.pod_name for child in row.child_tasks or () if child]
    return [name for name in names if name and _NODE.fullmatch(name)]


def _beneath(node: str, name: str) -> str:
    """Id of the node whose name is that of `node` and `name`."""
    workflow, _, digits = node.rpartition("-")
    digest = int(digits)
    for byte in name.encode():
        digest = (digest ^ byte) * 0x01000193 % 2**32
    return f"{workflow}-{digest}"


def _stopped_at(run: V2beta1Run) -> datetime | None:
    """When a person stopped the run, unless it was retried since."""
    stopped, before = None, None
    for change in run.state_history or ():
        if change.state == "CANCELING":
            stopped = stopped or change.update_time or _FIRST
        elif (before, change.state) == ("FAILED", "RUNNING"):
            stopped = None
        before = change.state
    return stopped


def _seconds(row: V2beta1PipelineTaskDetail) -> float | None:
    if not (_is_set(row.start_time) and _is_set(row.end_time)):
        return None
    return float((row.end_time - row.start_time).total_seconds())


def _is_set(moment: datetime | None) -> bool:
    return moment is not None and moment.year > 1970  # the server's way to say that it is not
