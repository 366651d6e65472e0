"""The file that an extractor is loaded from."""

import hashlib
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from components.shared.errors import PipelineError, UsageError, one_line

_TIMEOUT = 60  # seconds in which nothing arrives


def read_source(source: str, sha256: str) -> bytes:
    """Read a file, whole.

    Args:
        source: Path or http(s) address.
        sha256: What its SHA-256 must be, in lower case; empty where any will do.

    Raises:
        UsageError: There is no such file, or it is another one.
        PipelineError: The address does not answer, or not with a file.
    """
    content = _fetch(source) if "://" in source else _read(Path(source))
    if sha256:
        check_sha256(source, hashlib.sha256(content).hexdigest(), sha256)
    return content


def check_sha256(source: str, found: str, expected: str) -> None:
    """Raise UsageError for what is not the very thing that the configuration means."""
    if found != expected:
        raise UsageError(
            f"evaluate.extractor_source: {source} has SHA-256 {found} instead of {expected}: get "
            "the right file, or correct evaluate.extractor_sha256 if this is the one you mean"
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"evaluate.extractor_source: cannot read {path} ({error.strerror}): name the path "
            "of a file, or its http(s) address"
        ) from None


def _fetch(address: str) -> bytes:
    try:
        with urlopen(address, timeout=_TIMEOUT) as answer:
            content: bytes = answer.read()
            return content
    except HTTPError as error:
        error.close()
        reason = f"HTTP status {error.code}"
    except (OSError, HTTPException, ValueError) as error:
        reason = one_line(getattr(error, "reason", None) or error)
    raise PipelineError(
        f"evaluate.extractor_source: cannot fetch {address} ({reason}): check the address and "
        "this machine's way to it, or download the file and name its path"
    )
