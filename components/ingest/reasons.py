"""Why a file is set aside: a small fixed set, so that rejects can be counted."""

import enum


class Reason(enum.StrEnum):
    """What is wrong with a file that has a picture's extension."""

    EMPTY = "empty"
    TRUNCATED = "truncated"
    NOT_A_PICTURE = "not a picture"
    TOO_SMALL = "too small"
    TOO_MANY_PIXELS = "too many pixels"
    UNREADABLE = "unreadable"  # not to be opened, or damaged inside


class Rejected(Exception):
    """This file is set aside; the others go on."""

    def __init__(self, reason: Reason) -> None:
        """Say why."""
        super().__init__(reason.value)
        self.reason = reason
