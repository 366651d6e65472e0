"""What Kubeflow's API says of a run while its exit handler works, which the handler is not told."""

import json
import logging
import os
import re
import time
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import ProxyHandler, Request, build_opener

from components.shared.errors import one_line

LOG = logging.getLogger("dcgan.notify")

TOKEN_FILE_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # as kfp's own client has it
_TIMEOUT = 10  # seconds
_LARGEST = 2**25  # bytes; a run of ours has some 100 kB
_DRIVER = "-driver"  # of a task or a group of them, which Kubeflow shows as a row of its own
_GROUP = re.compile(r"root|exit-handler-\d+|condition-\d+|notify")


class RunFacts(NamedTuple):
    """A run as people know it."""

    name: str
    is_stopped: bool  # a person did it
    failed: tuple[str, ...]  # tasks, those first that ended first


def ask(api_host: str, run_id: str) -> RunFacts | None:
    """Ask Kubeflow's API; None, and a line in the log, where it does not answer.

    Args:
        api_host: Its address inside the cluster; empty asks nobody.
        run_id: Id of the run.
    """
    if not api_host:
        return None
    try:
        run = _get(f"{api_host.rstrip('/')}/apis/v2beta1/runs/{run_id}")
        return RunFacts(one_line(run["display_name"] or run_id), _is_stopped(run), _failed(run))
    except Exception as error:  # whatever it is, a message that says less is better than none
        LOG.info(
            "%s says nothing of the run (%s): telling what is known here", api_host, one_line(error)
        )
        return None


def _get(address: str) -> Any:
    request = Request(address)
    if token_file := os.environ.get(TOKEN_FILE_VARIABLE):  # where Kubeflow has many users
        token = Path(token_file).read_text(encoding="utf-8").strip()
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    opener = build_opener(ProxyHandler({}))  # no proxy stands between a pod and its cluster
    with opener.open(request, timeout=_TIMEOUT) as answer:
        return json.loads(_read(answer))


def _read(answer: HTTPResponse) -> bytes:
    """All of an answer; its socket's time-out is of each part alone."""
    body, deadline = b"", time.monotonic() + _TIMEOUT
    while part := answer.read1(2**16):
        body += part
        if len(body) > _LARGEST or time.monotonic() > deadline:
            raise ValueError(f"no end of its answer after {_TIMEOUT} s or {_LARGEST} bytes")
    return body


def _is_stopped(run: dict[str, Any]) -> bool:
    """Whether it was stopped since it last began; one that is stopped may end as FAILED."""
    states = [change.get("state") for change in run["state_history"]]
    began = max((i for i, state in enumerate(states) if state == "RUNNING"), default=0)
    return not {"CANCELING", "CANCELED"}.isdisjoint(states[began:])


def _failed(run: dict[str, Any]) -> tuple[str, ...]:
    """Tasks that failed, or whose driver did, by the rows that have one."""
    details = sorted(run["run_details"]["task_details"], key=lambda row: row.get("start_time", ""))
    rows = {row.get("display_name", ""): row for row in details}  # of tries the last
    failed: dict[str, str] = {}  # task → when
    for name, row in rows.items():
        task = name.removesuffix(_DRIVER)
        is_task = f"{task}{_DRIVER}" in rows and not _GROUP.fullmatch(task)
        if is_task and row.get("state") == "FAILED":
            failed[task] = row.get("end_time", "")
    return tuple(sorted(failed, key=lambda task: failed[task]))
