"""Telling a webhook that a run failed."""

import json
import logging
import os
import time
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from components.export.run_facts import RunFacts, ask
from components.shared.errors import PipelineError, UsageError, one_line

LOG = logging.getLogger("dcgan.notify")

WEBHOOK_VARIABLE = "DCGAN_WEBHOOK_URL"
_PAUSES = (0, 2, 10)  # seconds before each try
_TIMEOUT = 20  # seconds
# A server gives the metadata store's names; kfp's documentation and its local runner others.
_SUCCESSES = {"COMPLETE", "CACHED", "SUCCEEDED"}
_FAILURES = {"FAILED", "CANCELED", "CANCELLED"}


def notify(
    state: str, run_id: str, name: str, ui_host: str, error: str, api_host: str = ""
) -> None:
    """Post one message when a run did not succeed, or may not have; none when a person stopped it.

    The body is ``{"text": …}``, which Slack, Mattermost and Google Chat take. The address
    is a secret, so it is in no message and no log.

    Args:
        state: How the run ended, as Kubeflow names it. Any but a success is told: a server
            may give RUNNING, and then knows no better (kubeflow/pipelines#13321).
        run_id: Id of the run.
        name: What the cluster calls the run.
        ui_host: Address of Kubeflow's pages, for a link to the run; may be empty.
        error: What Kubeflow says of the failure; often empty.
        api_host: Address of Kubeflow's API inside the cluster, which knows the run's name, what
            failed and who stopped it; may be empty.

    Raises:
        UsageError: There is no address, or it is none.
        PipelineError: The webhook did not take the message.
    """
    if state in _SUCCESSES:
        LOG.info("the run succeeded: nothing to tell")
        return
    facts = ask(api_host, run_id)
    if facts and facts.is_stopped:
        LOG.info("a person stopped run %s: nothing to tell", facts.name)
        return
    address = os.environ.get(WEBHOOK_VARIABLE, "").strip()
    if not address.lower().startswith(("https://", "http://")):
        raise UsageError(
            f"${WEBHOOK_VARIABLE} holds no address: put one under the key `url` of the secret "
            "that cluster.webhook_secret names"
        )
    text = _text(_how_it_ended(state, name, facts), run_id, ui_host, error)
    _post(address, json.dumps({"text": text}).encode())
    LOG.info("told the webhook: %s", text)


def _how_it_ended(state: str, name: str, facts: RunFacts | None) -> str:
    name = facts.name if facts else name
    if facts and facts.failed:
        return f"{name} failed in {', '.join(facts.failed)}"
    if state in _FAILURES:
        return f"{name} ended as {state}"
    return f"{name} ended, its state is not known (Kubeflow says {state or 'nothing'})"


def _text(how_it_ended: str, run_id: str, ui_host: str, error: str) -> str:
    what = f": {one_line(error)}" if error else ""
    where = f"see {ui_host.rstrip('/')}/#/runs/details/{run_id}" if ui_host else f"run {run_id}"
    return f"dcgan: {how_it_ended}{what}; {where}"


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirected POST would become a GET, whose success says nothing of the message."""


def _post(address: str, body: bytes) -> None:
    opener = build_opener(_NoRedirects)
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            request = Request(address, body, {"Content-Type": "application/json"})
            with opener.open(request, timeout=_TIMEOUT):
                return
        except HTTPError as error:
            error.close()
            reason = f"HTTP {error.code}"
            if error.code < 500 and error.code != 429:
                break
        except Exception as error:  # any of them may hold the address, so only its type is told
            cause = error.reason if isinstance(error, URLError) else None
            reason = type(cause if isinstance(cause, OSError) else error).__name__
    # Out here, what was caught is no context of this error, so no traceback can show it.
    raise PipelineError(
        f"the webhook did not take the message ({reason}): check the address under the key "
        "`url` of the secret that cluster.webhook_secret names"
    )
