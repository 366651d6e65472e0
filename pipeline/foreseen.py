"""What the system says of disks and paths, as errors for the person who can act on them."""

import contextlib
import errno
from collections.abc import Iterator

from components.shared.errors import UsageError
from components.shared.process import storage_error


@contextlib.contextmanager
def foreseen_errors() -> Iterator[None]:
    """Raise UsageError for storage that ran out, is not ours, or a path that cannot be."""
    try:
        yield
    except OSError as error:
        if known := storage_error(error):
            raise known from error
        if error.errno in {errno.ENAMETOOLONG, errno.ELOOP}:
            raise UsageError(f"{error.strerror}: {error.filename}: name another path") from error
        raise
