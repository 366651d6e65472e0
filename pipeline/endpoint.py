"""Pictures from a generator behind TensorFlow Serving's REST API.

https://www.tensorflow.org/tfx/serving/api_rest, "Predict API", in its column format: the row
format has no scalar inputs.
"""

import base64
import functools
import io
import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from PIL import Image

from components.shared.contracts import CLASSES
from components.shared.errors import PipelineError, UsageError, one_line
from pipeline.generators import ALL, request_for

_TIMEOUT = 120  # seconds without a byte; the server gives up after 30 by default
_LONGEST = 300  # characters of a server's own message
_EXAMPLE = "http://localhost:8501/v1/models/dcgan"


class Endpoint:
    """A served model, as `generators.Generator` has it; each question is one request."""

    def __init__(self, endpoint: str) -> None:
        """Know where to ask.

        Args:
            endpoint: Address of the model, e.g. http://localhost:8501/v1/models/dcgan.

        Raises:
            UsageError: The address is none.
        """
        _check(endpoint)
        self._address = f"{endpoint.rstrip('/').removesuffix(':predict')}:predict"
        self.place = f"the model at {self._address}"

    @functools.cached_property
    def classes(self) -> dict[str, float]:
        """As `Generator` has it; empty for a model without the signature, too."""
        try:
            answer = self._ask(CLASSES, {"count": ALL})
        except _NoSignature:
            return {}
        try:
            told = json.loads(answer)["outputs"]
            return {
                str(name): float(share)
                for name, share in zip(told["names"], told["shares"], strict=True)
            }
        except (ValueError, KeyError, TypeError):
            raise self._no_answer_of("the names of classes") from None

    def draw(
        self, count: int, seed: int, truncation: float, class_name: str | None = None
    ) -> list[bytes]:
        """As `Generator` has it; a server may give up on many pictures."""
        answer = self._ask(*request_for(self, count, seed, truncation, class_name))
        try:
            pngs = [base64.b64decode(png["b64"]) for png in json.loads(answer)["outputs"]]
        except (ValueError, KeyError, TypeError):
            pngs = []
        if len(pngs) != count or not all(map(_is_png, pngs)):
            raise self._no_answer_of(f"{count} pictures")
        return pngs

    def _ask(self, signature: str, inputs: dict[str, Any]) -> bytes:
        body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
        request = Request(self._address, body, {"Content-Type": "application/json"})
        try:
            with urlopen(request, timeout=_TIMEOUT) as response:
                answer: bytes = response.read()
        except HTTPError as error:
            with error:
                raise _explain(error, self._address, signature) from None
        # The last: no such host or path can be.
        except (OSError, HTTPException, UnicodeError) as error:
            raise _no_answer(error, self._address) from None
        return answer

    def _no_answer_of(self, what: str) -> PipelineError:
        return PipelineError(
            f"what {self._address} answered is not {what}: is it TensorFlow Serving, and "
            "does anything before it want to know who asks?"
        )


class _NoSignature(UsageError):
    pass


def _is_png(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            picture.verify()
    except (OSError, SyntaxError):  # Pillow's words for what is none, and for one that is damaged
        return False
    return True


def _check(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that does not close
        usable = False
    if not usable or any(character.isspace() for character in endpoint):
        raise UsageError(f"--endpoint {endpoint} is no address of a model: give e.g. {_EXAMPLE}")


def _explain(error: HTTPError, address: str, signature: str) -> PipelineError:
    """Say what an answer with a status of 300 or more means."""
    said = _message(error)
    if error.code == 404:
        return UsageError(
            f"no model at {address} (HTTP 404: {said}): --endpoint ends in the name by which it "
            f"is served, e.g. {_EXAMPLE}"
        )
    if error.code == 400 and "not found in signature def" in said:
        return _NoSignature(
            f"the model at {address} has no signature {signature}: it is from before that "
            f"existed, so export and publish it again ({said})"
        )
    if error.code == 504:
        return PipelineError(
            f"{address} took longer than its server allows (HTTP 504: {said}): ask for fewer "
            "pictures with --count, or raise its --rest_api_timeout_in_ms"
        )
    return PipelineError(f"{address} answered HTTP {error.code}: {said}")


def _message(error: HTTPError) -> str:
    """The server's own words, which TensorFlow Serving gives as {"error": …}."""
    try:
        answer: Any = json.loads(error.read())
        text = str(answer["error"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        text = error.reason
    return one_line(text)[:_LONGEST]


def _no_answer(error: Exception, address: str) -> PipelineError:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        return PipelineError(
            f"no answer from {address} within {_TIMEOUT} s: ask for fewer pictures with --count, "
            "or see whether the server is well"
        )
    text = one_line(getattr(reason, "strerror", None) or reason) or type(reason).__name__
    return PipelineError(
        f"cannot reach {address}: {text}; is a server up there, and is its port forwarded?"
    )
