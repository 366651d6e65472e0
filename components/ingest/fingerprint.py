"""What is in a source now: the value on which every cached step depends."""

from pathlib import Path

from components.ingest.reasons import Rejected
from components.ingest.sources import Folder, open_source, setting_aside
from components.shared.files import digest_of, digest_of_file


def fingerprint(source: str) -> str:
    """Digest a folder's relative paths and contents, or an archive's bytes.

    Args:
        source: A folder, a zip or a tar.

    Returns:
        SHA-256 in hexadecimal. It changes when a file is added, removed, renamed or
        edited; it depends neither on where the source lies nor on the times of its files.

    Raises:
        UsageError: There is no such source.
    """
    with open_source(source) as opened:
        if isinstance(opened, Folder):
            files = ((entry.path, _content(opened.path_of(entry))) for entry in opened.files())
            return digest_of(sorted(files))
    return digest_of_file(Path(source))


def _content(path: Path) -> str:
    try:
        with setting_aside():
            return digest_of_file(path)
    except Rejected as rejected:
        return rejected.reason
