"""How the classes of two models differ."""

from collections.abc import Sequence

from components.shared.errors import some_of


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
    told = {"new": sorted(new), "gone": sorted(gone)}
    some = "".join(f", {what}: {some_of(names)}" for what, names in told.items() if names)
    return f"other classes than version {version}'s{some}"
