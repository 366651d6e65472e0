"""Addresses in buckets, ``gs://`` and ``s3://``; fsspec is imported only where there is one."""

import contextlib
import logging
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.shared.errors import PipelineError, UsageError, one_line


def is_remote(address: str | Path) -> bool:
    """Whether it is no path of this machine, such as ``gs://bucket/faces``."""
    return "://" in str(address)


def names_bucket(address: str) -> bool:
    """Whether a remote address is in a bucket that we can use."""
    return re.match(r"(gs|s3)://[^/]", address) is not None


def client_for(address: str) -> Any:
    """A client that remembers no listing, since other processes write, too."""
    import fsspec

    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # it logs, at length, what it raises
    return fsspec.filesystem(address.partition("://")[0], use_listings_cache=False)


def names_below(address: str) -> list[str]:
    """Keys of all objects below an address, relative to it; none where there is nothing."""
    top = address.partition("://")[2] + "/"
    found = client_for(address).find(address)
    return [key.removeprefix(top) for key in found if key.startswith(top)]


def try_to_write(address: str) -> None:
    """Make an object below an address and try to remove it; raises what the client raises."""
    client, probe = client_for(address), f"{address}/.probe"
    try:
        client.pipe_file(probe, b"")
    except Exception:
        if not client.exists(probe):
            raise
        # It was left there, where objects may be made and not be replaced: then others may be.
        probe += f"-{uuid.uuid4()}"
        client.pipe_file(probe, b"")
    with contextlib.suppress(Exception):  # which no publish needs
        client.rm_file(probe)


@contextlib.contextmanager
def explaining(what: str) -> Iterator[None]:
    """Turn a client's error into a UsageError that begins with `what`."""
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:  # each client has errors of its own
        raise UsageError(
            f"{what} ({one_line(error)}): check the address, that the bucket answers, and that "
            "the credentials here may list, read, write and remove what is in it"
        ) from error
