"""Text and names whose bytes are no UTF-8, as those that a terminal in Latin-1 sends."""

import locale
import os


def as_typed(text: str, errors: str = "strict") -> str:
    """An argument as a person typed it, where Python's UTF-8 mode could not read its bytes.

    Raises:
        UnicodeError: They are no text in the encoding of the locale either.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text).decode(locale.getencoding(), errors)
    return text


def readable(text: str) -> str:
    """The same to be shown, as of a path, which must keep its bytes; codes for what is no text."""
    try:
        return as_typed(text, "backslashreplace")
    except UnicodeEncodeError:  # it came from no terminal and no disk
        return text.encode(errors="backslashreplace").decode()
