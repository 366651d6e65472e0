"""One file of a source on its way to its shard, and what is known of it so far."""

import hashlib
from typing import NamedTuple

from components.ingest.config import IngestConfig
from components.ingest.decode import decode
from components.ingest.reasons import Reason, Rejected
from components.ingest.sources import Entry, is_named_picture


class SeenFile(NamedTuple):
    """Sorts by content, then by path."""

    sha256: str  # of the content, hexadecimal; "" where it could not be read
    path: str
    size: int  # bytes
    reason: str  # why it is rejected; "": it is not
    width: int  # pixels, of the picture as shown; 0 where it is rejected
    height: int
    pixels: bytes  # uint8 [S, S, 3], row by row; none where it is rejected, or they are elsewhere


def see(entry: Entry, content: bytes | Rejected, config: IngestConfig) -> SeenFile:
    """Check and decode one file."""
    if isinstance(content, Rejected):
        return SeenFile("", entry.path, entry.size, content.reason, 0, 0, b"")
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        picture = decode(content, config)
    except Rejected as rejected:
        reason = rejected.reason
        if reason is Reason.NOT_A_PICTURE and not is_named_picture(entry.path):
            reason = Reason.OTHER
        return SeenFile(sha256, entry.path, len(content), reason, 0, 0, b"")
    pixels = picture.pixels.tobytes()
    return SeenFile(sha256, entry.path, len(content), "", picture.width, picture.height, pixels)
