"""Classes by folders: the first folder below what the user named is a picture's class.

An archive, or a list, names no folder. There it is the first one below the folder that holds all
pictures of the list, or of all archives; so a zip of `faces/` has the classes of `faces/` itself.
A source without folders that stands beside others is a class by itself, of its own name.
"""

import collections
import itertools
from collections.abc import Hashable, Iterator, Sequence

from components.ingest.archives import Archive
from components.ingest.reasons import Reason
from components.ingest.source import (
    ARCHIVE_SUFFIXES,
    Listing,
    SetAside,
    Source,
    printable,
)
from components.ingest.sources import Several
from components.shared.errors import some_of

_FEWEST = 2  # pictures of a class, one for each split; and classes


def label_by_folders(listing: Listing, opened: Source) -> Listing:
    """Give each file of a listing the number of its class, and the listing their names.

    The numbers follow the order of the names. Pictures that lie in no class's folder are set
    aside. Memory grows with the files by nothing but a number each.

    Args:
        listing: All files, by path.
        opened: What they were listed of.
    """
    folders = _Folders(listing, opened)
    named = [(entry, folders.class_of(entry.path)) for entry in listing.pictures]
    names = sorted({name for _, name in named if name is not None})
    numbers = {name: number for number, name in enumerate(names)}
    pictures = [entry._replace(label=numbers[name]) for entry, name in named if name is not None]
    loose = [entry for entry, name in named if name is None]
    other = [
        each._replace(label=numbers.get(folders.class_of(each.path) or ""))
        for each in listing.other
    ]
    other += [SetAside(entry.path, entry.size, Reason.NO_CLASS) for entry in loose]
    return Listing(pictures, other, names).in_order()


def why_no_classes(listing: Listing) -> str:
    """What forbids to train by the classes of a listing, in words; empty where nothing does."""
    names = listing.classes
    if len(names) < _FEWEST:
        found = f"there is one, {some_of(names)}" if names else "there is none"
        return (
            f"ingest.labels=folders needs {_FEWEST} classes or more, and {found}: name the "
            "folder whose folders are the classes, or several sources that are a class each"
        )
    counts = collections.Counter(entry.label for entry in listing.pictures)
    few = [name for number, name in enumerate(names) if counts[number] < _FEWEST]
    if few:
        return (
            f"{in_words(few)} of ingest.labels=folders must have {_FEWEST} pictures or more, "
            "one to train on and one held out: add pictures, or take these folders away"
        )
    return ""


def in_words(names: Sequence[str]) -> str:
    """Name a few classes, e.g. ``the classes a, b, c, d, e and 7 more``."""
    return f"the class{'es' if len(names) > 1 else ''} {some_of(names)}"


class _Folders:
    """Tells the class of a file by its path."""

    def __init__(self, listing: Listing, opened: Source) -> None:
        self._opened = opened
        shared: dict[Hashable, list[str]] = {}  # folders that hold all pictures
        for source, path in self._places(listing):
            if (key := _shares_with(source)) is not None:
                folders = path.split("/")[:-1]
                shared[key] = _common(shared.get(key, folders), folders)
        self._passed_over = {
            key: "".join(f"{folder}/" for folder in folders) for key, folders in shared.items()
        }
        self._with_folders = {
            source for source, path in self._places(listing) if "/" in self._below(source, path)
        }

    def class_of(self, path: str) -> str | None:
        """Name of the class of a file; None where it lies in no class's folder."""
        source, within = self._opened.whose(path)
        folder, slash, _ = self._below(source, within).partition("/")
        if slash:
            return folder
        by_itself = isinstance(self._opened, Several) and source not in self._with_folders
        return _own_name(source) if by_itself else None

    def _places(self, listing: Listing) -> Iterator[tuple[Source, str]]:
        return (self._opened.whose(entry.path) for entry in listing.pictures)

    def _below(self, source: Source, path: str) -> str:
        return path.removeprefix(self._passed_over.get(_shares_with(source), ""))


def _common(one: Sequence[str], other: Sequence[str]) -> list[str]:
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return [folder for folder, _ in pairs]


def _shares_with(source: Source) -> Hashable | None:
    """Which sources share one folder that is passed over; None where the user named the folder."""
    if isinstance(source, Archive):
        return Archive
    return source if source.is_list else None


def _own_name(source: Source) -> str:
    """What the user calls a source, e.g. ``red`` of ``s3://pictures/red.tar.gz``."""
    name = printable(source.root.rstrip("/").rpartition("/")[2])
    if isinstance(source, Archive):
        suffixes = (suffix for suffix in ARCHIVE_SUFFIXES if name.lower().endswith(suffix))
        name = name[: len(name) - len(max(suffixes, key=len, default=""))]
    return name or source.said
