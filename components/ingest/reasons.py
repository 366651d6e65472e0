"""Why a file is set aside: a small fixed set, so that rejects can be counted."""

import enum


class Reason(enum.StrEnum):
    """What is wrong with a file, or why it was not looked at."""

    EMPTY = "empty"
    TRUNCATED = "truncated"
    NOT_A_PICTURE = "not a picture"
    TOO_SMALL = "too small"
    TOO_MANY_PIXELS = "too many pixels"
    TOO_LARGE = "too large"  # the file, in bytes
    HIDDEN = "hidden"
    OTHER = "other file"  # neither named as a picture nor one
    UNREADABLE = "unreadable"  # not to be opened, or damaged inside


NOT_LOOKED_AT = (Reason.HIDDEN, Reason.OTHER)  # no fault of the source's


class Rejected(Exception):
    """This file is set aside; the others go on."""

    def __init__(self, reason: Reason) -> None:
        """Say why."""
        super().__init__(reason.value)
        self.reason = reason
