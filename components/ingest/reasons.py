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
    MISSING = "missing"  # it is named, by a list or a link, and not there
    DENIED = "permission denied"
    ENCRYPTED = "encrypted"
    COMPRESSION = "unknown compression"
    ARCHIVE = "archive"  # in a folder or in another archive
    FOLDER = "folder that may not be read"
    FORMAT = "format that is not read"  # of a picture, by its extension
    UNREADABLE = "unreadable"  # not to be opened, or damaged inside
    NO_CLASS = "in no class's folder"  # where folders are classes
    TWO_CLASSES = "in two classes"  # the same content


# Not counted as broken pictures.
NOT_BROKEN = (
    Reason.HIDDEN,
    Reason.OTHER,
    Reason.ARCHIVE,
    Reason.FOLDER,
    Reason.FORMAT,
    Reason.NO_CLASS,
    Reason.TWO_CLASSES,
)


# What to do about those that are broken; else: mend or remove them.
ADVICE = {
    Reason.MISSING: "bring them back, or mend the list or the links that name them",
    Reason.ENCRYPTED: "pack it anew without a password",
    Reason.COMPRESSION: "repack it",
    Reason.DENIED: "allow this user to read them",
}


class Rejected(Exception):
    """This file is set aside; the others go on."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Say why, and the cause in words where there is more to say."""
        super().__init__(reason.value)
        self.reason = reason
        self.detail = detail
