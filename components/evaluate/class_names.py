"""How the classes of two models differ."""

from collections.abc import Sequence

from components.shared.errors import one_line

_NAMED = 5  # of those that are new, and of those that are gone


def unlike_classes(before: Sequence[str], now: Sequence[str], version: int) -> str | None:
    """Say how classes differ from those of a published version; None where they do not.

    Args:
        before: Names of the published ones, in order; none where it draws by no class.
        now: The same of these.
        version: That of the published ones.
    """
    if [*before] == [*now]:
        return None
    if not before:
        return f"pictures of classes, where version {version}'s have none"
    if not now:
        return f"pictures without classes, where version {version}'s have some"
    new, gone = {*now} - {*before}, {*before} - {*now}
    if not new and not gone:
        return f"version {version}'s classes in another order"
    return f"other classes than version {version}'s{_some('new', new)}{_some('gone', gone)}"


def _some(what: str, names: set[str]) -> str:
    """A few of them, as part of a sentence; nothing of none."""
    if not names:
        return ""
    shown = ", ".join(map(one_line, sorted(names)[:_NAMED]))
    more = len(names) - _NAMED
    return f", {what}: {shown}{f' and {more:,} more' if more > 0 else ''}"
