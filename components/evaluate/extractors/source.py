"""The file that an extractor is loaded from."""

import hashlib
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from components.shared.errors import PipelineError, UsageError, one_line
from components.shared.files import digest_of, digest_of_file

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


def check_local(extractor: str, source: str, sha256: str) -> None:
    """Refuse, without TensorFlow, what is not on this machine or is another thing than meant.

    Args:
        extractor: Its name.
        source: As configured; an address, or nothing, is not looked at.
        sha256: As configured; may be empty.

    Raises:
        UsageError: There is no such file or SavedModel, or it is another one.
    """
    if not source or "://" in source:
        return
    if extractor == "saved_model":
        found = digest_of_saved_model(source)
    else:
        try:
            found = digest_of_file(Path(source))
        except OSError as error:
            raise _unreadable(Path(source), error) from None
    check_sha256(source, found, sha256 or found)


def digest_of_saved_model(source: str) -> str:
    """SHA-256 over the names and bytes of all files; UsageError where there is no SavedModel."""
    folder = Path(source)
    if not (folder / "saved_model.pb").is_file():
        raise UsageError(
            f"evaluate.extractor_source: no SavedModel in {source}: name the folder that holds "
            "saved_model.pb"
        )
    files = [path for path in folder.rglob("*") if path.is_file()]
    return digest_of({path.relative_to(folder).as_posix(): digest_of_file(path) for path in files})


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
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(
        f"evaluate.extractor_source: cannot read {path} ({error.strerror}): name the path of a "
        "file, or its http(s) address"
    )


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
