"""Where a JPEG ends, by walking through its scans: what follows it is not the picture."""

import re
import struct
from typing import NamedTuple

MAX_SCANS = 100  # each of which passes over all pixels: 50 ms for 64 million

END = b"\xff\xd9"
SCAN = b"\xff\xda"
# In a scan's data: what is no restart, no filling, and no 0xff of the data itself.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
_PROGRESSIVE = (0xC2, 0xCA)
_COEFFICIENTS = frozenset(range(64))


class Scans(NamedTuple):
    """The scans of a JPEG."""

    end: int  # where they end: after the end mark, or the data's end where there is none
    is_closed: bool  # whether there is an end mark
    scanned: dict[int, set[int]]  # by component: coefficients of which the last bit is there


def read_scans(data: bytes, at: int) -> Scans:
    """Walk from the first scan's marker, at `at`, to the end mark.

    Raises:
        ValueError: There are more than MAX_SCANS.
        struct.error: The data end in a scan's header.
        IndexError: The same.
    """
    scanned: dict[int, set[int]] = {}
    count = 0
    while (match := _MARKER.search(data, at)) is not None:
        at = match.start()
        if match.group() == END:
            return Scans(at + 2, True, scanned)
        (length,) = struct.unpack_from(">H", data, at + 2)
        if match.group() == SCAN:
            count += 1
            if count > MAX_SCANS:
                raise ValueError("too many scans")
            components = data[at + 5 : at + 5 + 2 * data[at + 4] : 2]
            first, last, precision = struct.unpack_from("BBB", data, at + length - 1)
            for component in components:
                known = scanned.setdefault(component, set())
                if precision & 15 == 0:
                    known.update(range(first, min(last, 63) + 1))
        at += 2 + length
    return Scans(len(data), False, scanned)


def has_all(scans: Scans, frame: bytes) -> bool:
    """Whether the scans bring every coefficient of each component that a frame's header names."""
    components = frame[10 : 10 + 3 * frame[9] : 3]
    wanted = _COEFFICIENTS if frame[1] in _PROGRESSIVE else frozenset({0})
    return all(wanted <= scans.scanned.get(component, set()) for component in components)
