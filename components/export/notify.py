"""Telling a webhook that a run failed."""

import json
import logging
import os
import time
import urllib.error
import urllib.request

from components.shared.errors import PipelineError, UsageError

LOG = logging.getLogger("dcgan.notify")

WEBHOOK_VARIABLE = "DCGAN_WEBHOOK_URL"
_PAUSES = (0, 2, 10)  # seconds before each try
_TIMEOUT = 20  # seconds


def notify(state: str, run: str, error: str) -> None:
    """Post one message when a run did not succeed.

    The body is ``{"text": …}``, which Slack, Mattermost and Google Chat take. The address
    is a secret, so it is in no message and no log.

    Args:
        state: SUCCEEDED, FAILED or CANCELLED, as Kubeflow names it.
        run: Resource name of the run.
        error: What Kubeflow says of the failure; may be empty.

    Raises:
        UsageError: There is no address, or it is none.
        PipelineError: The webhook did not take the message.
    """
    if state == "SUCCEEDED":
        LOG.info("the run succeeded: nothing to tell")
        return
    address = os.environ.get(WEBHOOK_VARIABLE, "").strip()
    if not address.startswith(("https://", "http://")):
        raise UsageError(
            f"${WEBHOOK_VARIABLE} holds no address: put one under the key `url` of the secret "
            "that cluster.webhook_secret names"
        )
    text = f"dcgan: {run} ended as {state}" + (f": {error}" if error else "")
    _post(address, json.dumps({"text": text}).encode())
    LOG.info("told the webhook: %s", text)


def _post(address: str, body: bytes) -> None:
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    for pause in _PAUSES:
        time.sleep(pause)
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT):
                return
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code}"
            if error.code < 500 and error.code != 429:
                break
        except (OSError, ValueError) as error:  # of which URLError is one; some name the address
            reason = type(getattr(error, "reason", error)).__name__
    raise PipelineError(f"the webhook did not take the message ({reason}); check its secret")
