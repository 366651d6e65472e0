"""What containers are told so that they can use buckets as whoever started the run."""

import os
from collections.abc import Mapping
from pathlib import Path

from components.shared.errors import UsageError

_GOOGLE_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
_NAMES = {_GOOGLE_FILE, "STORAGE_EMULATOR_HOST"}
_PREFIX = "AWS_"


def bucket_credentials(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that the clients of S3 and GCS read; of all others none.

    Args:
        environment: Of the process that starts the run.

    Raises:
        UsageError: The file with Google's credentials is missing.
    """
    found = {
        name: value
        for name, value in environment.items()
        if name in _NAMES or name.startswith(_PREFIX)
    }
    if path := found.get(_GOOGLE_FILE):
        found[_GOOGLE_FILE] = str(Path(path).absolute())
        if not os.path.isfile(path):  # noqa: PTH113 (pathlib raises for a name too long)
            raise UsageError(f"{_GOOGLE_FILE}={path}: no such file; name the key's file, or unset")
    return found


def files_of(credentials: Mapping[str, str]) -> list[Path]:
    """Files that the variables name, such as a key or certificates, by absolute paths."""
    named = {value for value in credentials.values() if value.startswith(os.path.sep)}
    return sorted(Path(path) for path in named if os.path.isfile(path))  # noqa: PTH113
