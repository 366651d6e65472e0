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
    FOLDER = "folder that may not be read"
    UNREADABLE = "unreadable"  # not to be opened, or damaged inside


NOT_LOOKED_AT = (Reason.HIDDEN, Reason.OTHER, Reason.FOLDER)  # not counted as broken pictures


class Rejected(Exception):
    """This file is set aside; the others go on."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Say why, and the cause in words where there is more to say."""
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail
