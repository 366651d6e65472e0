"""One file of a source on its way to its shard, and what is known of it so far."""

import hashlib
from typing import NamedTuple

from components.ingest.config import IngestConfig
from components.ingest.decode import decode
from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Entry, is_named_picture


class SeenFile(NamedTuple):
    """What is known of a file; sorts by content, then by path."""

    sha256: str  # of the content, hexadecimal; "" where it could not be read
    path: str
    size: int  # bytes
    reason: str  # why it is rejected; "": it is not
    width: int  # pixels, of the picture as shown; 0 where it is rejected
    height: int


def see(entry: Entry, content: bytes | Rejected, config: IngestConfig) -> tuple[SeenFile, bytes]:
    """Check and decode one file.

    Returns:
        What is known of it; and its pixels, uint8 [S, S, 3] row by row, none where it is rejected.
    """
    if isinstance(content, Rejected):
        return SeenFile("", entry.path, entry.size, content.reason, 0, 0), b""
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        picture = decode(content, config)
    except Rejected as rejected:
        reason = rejected.reason
        if reason is Reason.NOT_A_PICTURE and not is_named_picture(entry.path):
            reason = Reason.OTHER
        return SeenFile(sha256, entry.path, len(content), reason, 0, 0), b""
    seen = SeenFile(sha256, entry.path, len(content), "", picture.width, picture.height)
    return seen, picture.pixels.tobytes()
