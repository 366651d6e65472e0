"""How large a picture may be."""

from components.ingest.reasons import Reason, Rejected

MIN_SIDE = 8  # pixels
MAX_SIDE = 65_535  # pixels, as in a JPEG: what a row costs a decoder is bounded, too
MAX_PIXELS = 64_000_000  # decoded, that is 192 MB


def check_size(width: int, height: int) -> None:
    """Raise Rejected where a picture of width × height pixels is too large or too small."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise Rejected(Reason.TOO_MANY_PIXELS)
    if min(width, height) < MIN_SIDE:
        raise Rejected(Reason.TOO_SMALL)
