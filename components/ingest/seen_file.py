"""One file of a source on its way to its shard, and what is known of it so far."""

import hashlib
from typing import NamedTuple

from components.ingest.config import IngestConfig
from components.ingest.decode import decode
from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Entry, is_named_picture


class SeenFile(NamedTuple):
    """What is known of a file; sorts by content, then by path."""

    sha256: bytes  # of the content; none where it could not be read
    path: str
    size: int  # bytes
    reason: str  # why it is rejected; "": it is not
    width: int = 0  # pixels, of the picture as shown; 0 where it is rejected
    height: int = 0
    detail: str = ""  # what else there is to say of the reason
    unfinished: bool = False  # whether a picture that is used lacks the end of its file
    label: int | None = None  # number of its class; None without classes


def see(entry: Entry, content: bytes | Rejected, config: IngestConfig) -> tuple[SeenFile, bytes]:
    """Check and decode one file.

    Returns:
        What is known of it; and its pixels, uint8 [S, S, 3] row by row, none where it is rejected.
    """
    if isinstance(content, Rejected):
        return _set_aside(b"", entry, entry.size, content), b""
    sha256 = hashlib.sha256(content).digest()
    try:
        picture = decode(content, config)
    except Rejected as rejected:
        return _set_aside(sha256, entry, len(content), rejected), b""
    seen = SeenFile(
        sha256,
        entry.path,
        len(content),
        "",
        picture.width,
        picture.height,
        unfinished=picture.unfinished,
        label=entry.label,
    )
    return seen, picture.pixels.tobytes()


def _set_aside(sha256: bytes, entry: Entry, size: int, rejected: Rejected) -> SeenFile:
    """Say why; of a file that nobody called a picture, that it is none."""
    reason, detail = rejected.reason, rejected.detail
    if not is_named_picture(entry.path) and reason is not Reason.FORMAT:
        detail = "" if reason is Reason.NOT_A_PICTURE else reason
        reason = Reason.OTHER
    return SeenFile(sha256, entry.path, size, reason, detail=detail, label=entry.label)
