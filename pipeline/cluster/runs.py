"""Runs on Kubeflow: find, follow, stop, retry."""

import time
import uuid
from collections.abc import Iterator
from itertools import islice

from kfp_server_api import V2beta1Run

from components.shared.errors import UsageError, one_line
from pipeline.cluster.server import KfpServer, NotFound, ServerError
from pipeline.cluster.tasks import has_ended, state_of, word_of

_POLL_SECONDS = 5
_LOSSES = 30  # looks in a row that fail, each after the tries of one request


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


def retry(server: KfpServer, run: V2beta1Run) -> None:
    """Have a failed run go on at the task that failed.

    Raises:
        UsageError: The run has not failed.
    """
    if (state := state_of(run)) != "FAILED":
        advice = "; `dcgan submit` starts another, which goes on from the last checkpoint"
        raise UsageError(
            f"run {run.display_name} is {word_of(state)}: only one that failed can be retried"
            f"{advice if state == 'CANCELED' else ''}"
        )

    def landed() -> V2beta1Run | None:
        now = server.call(server.runs.run_service_get_run, run.run_id)
        # It may have failed again since.
        goes_on = not has_ended(now) or len(now.state_history) > len(run.state_history)
        return now if goes_on else None

    server.call(server.runs.run_service_retry_run, run.run_id, landed=landed)


def schedule_names(server: KfpServer, runs: list[V2beta1Run]) -> dict[str, str]:
    """Names of the schedules that runs belong to, by their ids; deleted ones are not there."""
    if not any(run.recurring_run_id for run in runs):
        return {}
    listing = server.recurring_runs.recurring_run_service_list_recurring_runs
    found = server.pages(listing, **server.scope)
    return {one.recurring_run_id: one.display_name for one in found}


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


def _is_id(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
