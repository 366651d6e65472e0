"""Argo behind the contract server: nodes of a run, names of pods, and where logs are.

Layouts of nodes are those of recorded runs: `2.17.0` as Kubeflow Pipelines 2.17.0 has it,
where Argo tries every node again, `older` as before, and `older, no retries` for tasks that
are tried once.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

RECORDED = Path(__file__).parent / "recorded"
LAYOUTS = ("2.17.0", "older", "older, no retries")
_UNSET = "0001-01-01T00:00:00Z"


def recording(name):
    """A run as a real server of 2.17.0 gave it."""
    return json.loads((RECORDED / f"{name}.json").read_text())


def node_id(name):
    """Argo's id of a node: the workflow's name, and a hash (32-bit FNV-1a) of its own."""
    workflow, digest = re.match(r"[\w-]+", name)[0], 0x811C9DC5
    for byte in name.encode():
        digest = (digest ^ byte) * 0x01000193 % 2**32
    return f"{workflow}-{digest}"


def pod_name(node, template="retry-system-container-impl"):
    """Name of a pod: the template of what may be tried again stands before the hash."""
    workflow, _, digest = node.rpartition("-")
    return f"{workflow}-{template}-{digest}"


class Nodes:
    """Names of a run's nodes; `dag_try` counts how often the whole DAG ran again."""

    def __init__(self, run_id, layout, dag_try=0):
        self.again = "(0)" if layout == "2.17.0" else ""
        self.counted = layout != "older, no retries"
        self.workflow = f"dcgan-{run_id[:5]}"
        self.root = f"{self.workflow}({dag_try}).root(0)" if self.again else f"{self.workflow}.root"

    def task(self, name):
        condition = f".condition-1{self.again}" if name == "publish" else ""
        return f"{self.root}{condition}.{name}"

    def pod(self, name, attempt=0):
        """Of a task, or of a driver, which has no executor."""
        if name.endswith("-driver"):
            return self.task(name) + self.again
        executor = f"{self.task(name)}{self.again}.executor"
        return f"{executor}({attempt})" if self.counted else executor


def argo_rows(run_id, tasks, layout, dag_try=0):
    """Rows as Argo's nodes give them for tasks → state.

    `cached` is a cache hit, `omitted` did not begin since one before it failed, `driver failed`
    did not since its driver did, and `condition-1` is a row and nothing else. All but collect,
    which begins with the task before it, begin a minute after the last. train is tried twice.
    """
    nodes, rows = Nodes(run_id, layout, dag_try), [{"run_id": run_id, "execution_id": "7"}]
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1 - dag_try / 2)
    for name, state in tasks.items():
        begin += timedelta(minutes=name != "collect")
        rows += _rows_of(nodes, run_id, name, state, begin)
    return rows


def _rows_of(nodes, run_id, name, state, begin):
    text = "%Y-%m-%dT%H:%M:%SZ"
    running = state in {"RUNNING", "PENDING"}
    end = _UNSET if running else (begin + timedelta(seconds=50)).strftime(text)

    def row(display_name, state, *children):
        ids = [{"pod_name": node_id(child)} for child in children]
        return {
            "run_id": run_id, "display_name": display_name, "state": state,
            "start_time": begin.strftime(text), "end_time": end, "child_tasks": ids,
        }  # fmt: skip

    if name.startswith("condition"):
        return [row(name, state)]
    driver = "FAILED" if state == "driver failed" else "" if state == "omitted" else "SUCCEEDED"
    tree = _retried if nodes.again else _once
    rows = tree(row, f"{name}-driver", driver, nodes.task(f"{name}-driver"), nodes.task(name))
    if state in {"omitted", "driver failed"}:
        return [*rows, row(name, "")]
    below = f"{nodes.task(name)}{nodes.again}.executor"
    ended = "SUCCEEDED" if state == "cached" else state
    rows += tree(row, name, ended, nodes.task(name), below)
    if state == "cached":
        return [*rows, row("executor", "SKIPPED")]
    if not nodes.counted:
        return [*rows, row("executor", state)]
    tries = range(2 if name == "train" else 1)
    rows.append(row("executor", state, *(nodes.pod(name, number) for number in tries)))
    return rows + [row(f"executor({number})", state) for number in tries]


def _retried(row, name, state, node, below):
    return [row(name, state, f"{node}(0)"), row(f"{name}(0)", state, below)]


def _once(row, name, state, _node, below):
    return [row(name, state, below)]


class Logs(dict):
    """Logs of pods by their exact names, and what is left of each when it is gone.

    Attributes:
        left: `pods`; `workflows`, when Kubernetes has deleted the pods and the logs are in
            Argo's archive; `archive`, when Argo's TTL has removed the workflows, too.
    """

    left = "pods"

    def of_uis_pod(self, name):
        """As the UI's server finds one: in the archive by the end of the name alone."""
        if self.left == "workflows":
            end = name.rpartition("-")[2]
            return next((log for other, log in self.items() if other.endswith(f"-{end}")), None)
        return self.get(name) if self.left == "pods" else None

    def archived(self, key, namespace, created_at):
        """As an object of the bucket that Argo writes to."""
        day = f"{created_at:%Y/%m/%d}"
        for name, log in self.items():
            workflow = re.match(r"(.*?)-(retry-)?system-container", name)[1]
            if key == f"private-artifacts/{namespace}/{workflow}/{day}/{name}/main.log":
                return log if self.left != "pods" else None
        return None
