"""What a server knows of a pod: its log, its state, what Kubernetes says of it."""

import json
from datetime import datetime
from typing import Any

from kfp_server_api import V2beta1Run

from components.shared.errors import UsageError, one_line
from pipeline.cluster.server import KfpServer, ServerError
from pipeline.cluster.tasks import Pod

_BUCKET = "mlpipeline"  # where Kubeflow Pipelines has Argo archive logs
_TIMES = ("lastTimestamp", "eventTime", "firstTimestamp")  # of an event; any may be missing


def log_of_pod(server: KfpServer, run: V2beta1Run, pod: Pod) -> str | None:
    """A pod's log, while it lives and after it is gone; None where the server has none.

    The first name that answers is the only one that is read: the UI's server finds an
    archived log by the end of the name, so the others would give it once more.
    """
    logs = (_read(server, *request) for request in _log_requests(server, run, pod))
    return next((log for log in logs if log is not None), None)


def _log_requests(
    server: KfpServer, run: V2beta1Run, pod: Pod
) -> list[tuple[str, dict[str, str] | None]]:
    if not server.is_ui:
        return [(f"/apis/v1alpha1/runs/{run.run_id}/nodes/{name}/log", None) for name in pod.names]
    alive = [
        ("/k8s/pod/logs", {"podname": name, "runid": run.run_id, "podnamespace": server.pods})
        for name in pod.names
    ]
    # Argo deletes a workflow an hour after its end, and the UI then looks in the wrong place.
    archived = [
        f"private-artifacts/{server.pods}/{pod.workflow}/{day:%Y/%m/%d}/{name}/main.log"
        for day in _days(run)
        for name in pod.names
    ]
    where = {"source": "minio", "bucket": _BUCKET, **server.scope}
    return [*alive, *(("/artifacts/get", {**where, "key": key}) for key in archived)]


def _days(run: V2beta1Run) -> list[datetime]:
    """When the workflow may have been made, the newest first: a retry makes a deleted one anew."""
    again = [change.update_time for change in run.state_history or () if change.state == "RUNNING"]
    days = {f"{moment:%Y%m%d}": moment for moment in [run.created_at, *again] if moment}
    return list(reversed(days.values()))


def _read(server: KfpServer, path: str, query: dict[str, str] | None) -> str | None:
    try:
        text = server.get_raw(path, query, once=True).decode(errors="replace")
    except (ServerError, UsageError):
        return None
    # The UI has a page for any path that it does not know, a proxy one of its own.
    return None if text.lstrip().lower().startswith(("<!doctype html", "<html")) else text


def kubernetes_pod(server: KfpServer, pod: Pod) -> dict[str, Any] | None:
    """The pod as Kubernetes has it; None where it is gone, or the server is not the UI's."""
    found = (_read_json(server, "/k8s/pod", name) for name in pod.names)
    return next((one for one in found if isinstance(one.get("status"), dict)), None)


def newest_warning(server: KfpServer, name: str) -> str:
    """What Kubernetes last warned of about a pod of this name, as one line; else empty."""
    items = _read_json(server, "/k8s/pod/events", name).get("items")
    events = filter(is_object, items if isinstance(items, list) else ())
    warnings = [event for event in events if event.get("type") == "Warning"]
    if not warnings:
        return ""
    newest = max(warnings, key=_time_of)
    return one_line(f"{newest.get('reason') or 'warning'}: {newest.get('message') or ''}")


def is_object(value: Any) -> bool:
    """Whether a value of an answer is an object, as it should be."""
    return isinstance(value, dict)


def _time_of(event: dict[str, Any]) -> str:
    """Of an event; all are in UTC, so their texts compare."""
    return str(next((time for key in _TIMES if (time := event.get(key))), ""))


def _read_json(server: KfpServer, path: str, name: str) -> dict[str, Any]:
    if not server.is_ui:
        return {}
    text = _read(server, path, {"podname": name, "podnamespace": server.pods})
    try:
        answer = json.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
