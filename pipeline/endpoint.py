"""Pictures from a generator behind TensorFlow Serving's REST API.

https://www.tensorflow.org/tfx/serving/api_rest, "Predict API", in its column format: the row
format has no scalar inputs.
"""

import base64
import io
import json
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from PIL import Image

from components.shared.contracts import GENERATE_PNG
from components.shared.errors import PipelineError, UsageError, one_line

_TIMEOUT = 120  # seconds without a byte; the server gives up after 30 by default
_LONGEST = 300  # characters of a server's own message
_EXAMPLE = "http://localhost:8501/v1/models/dcgan"


def draw(endpoint: str, count: int, seed: int, truncation: float) -> list[bytes]:
    """Have a served model draw pictures, all in one request.

    Args:
        endpoint: Address of the model, e.g. http://localhost:8501/v1/models/dcgan.
        count: Pictures to draw, 1 to MOST_PICTURES.
        seed: Of the latents, 0 to 2³¹ - 1.
        truncation: What the latents are multiplied by.

    Returns:
        PNG files.

    Raises:
        UsageError: The address is none, no such model is served there, or one without the
            signature.
        PipelineError: No answer, or none of pictures.
    """
    _check(endpoint)
    asked = {"count": count, "seed": seed, "truncation": truncation}
    body = json.dumps({"signature_name": GENERATE_PNG, "inputs": asked}).encode()
    address = f"{endpoint.rstrip('/').removesuffix(':predict')}:predict"
    request = Request(address, body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=_TIMEOUT) as response:
            answer = response.read()
    except HTTPError as error:
        with error:
            raise _explain(error, address) from None
    except (OSError, HTTPException, UnicodeError) as error:  # the last: no such host or path can be
        raise _no_answer(error, address) from None
    try:
        pngs = [base64.b64decode(png["b64"]) for png in json.loads(answer)["outputs"]]
    except (ValueError, KeyError, TypeError):
        pngs = []
    if len(pngs) != count or not all(map(_is_png, pngs)):
        raise PipelineError(
            f"what {address} answered is not {count} pictures: is it TensorFlow Serving, and "
            "does anything before it want to know who asks?"
        )
    return pngs


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


def _explain(error: HTTPError, address: str) -> PipelineError:
    """Say what an answer with a status of 300 or more means."""
    said = _message(error)
    if error.code == 404:
        return UsageError(
            f"no model at {address} (HTTP 404: {said}): --endpoint ends in the name by which it "
            f"is served, e.g. {_EXAMPLE}"
        )
    if error.code == 400 and "not found in signature def" in said:
        return UsageError(
            f"the model at {address} has no signature {GENERATE_PNG}: it is from before that "
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
