"""What an archive holds, as a folder has it once it is unpacked: links lead where they would."""

import functools
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from components.ingest.reasons import Reason, Rejected
from components.ingest.source import Entry, printable

_LINKS_FOLLOWED = 40  # on the way to one file, as Linux does


class Member(NamedTuple):
    """What an archive has under a path."""

    size: int = 0  # bytes
    where: Any = None  # what the archive needs to find its content
    problem: Rejected | None = None
    link: str | None = None  # where it leads from its folder; after a '/', from the archive's root
    is_file: bool = True  # or a link; no folder, pipe or device


NO_FILE = Member(is_file=False)


def symbolic_link(target: str) -> Member:
    """What leads to `target`, unless that lies somewhere on the machine where it was packed."""
    return _lost(target) if target.startswith("/") else Member(link=target)


def hard_link(name: str) -> Member:
    """Another name of a member."""
    return Member(link="/" + path_of_name(name))


def path_of_name(name: str) -> str:
    """A member's path in the archive, whatever is before it or doubled in its name."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


def _lost(target: str) -> Member:
    detail = f"a link to '{printable(target.lstrip('/'))}', which is not in the archive"
    return Member(problem=Rejected(Reason.MISSING, detail))


class Members:
    """The members by path; of two with the same path the later counts, as it does on unpacking."""

    def __init__(self, members: Iterable[tuple[str, Member]]) -> None:
        """Take paths, as `path_of_name` makes them, and what is there."""
        self._members: dict[str, Member] = {}
        for path, member in members:
            hard = member.link is not None and member.link.startswith("/")
            # What has that name so far: itself, where GNU tar packs a file for the second time.
            known = self._members.get(str(member.link)[1:]) if hard else None
            self._members[path] = known or member

    def entries(self) -> Iterator[Entry]:
        """The files, and links to files; a link to a folder adds none, since that has a path."""
        for path, member in self._members.items():
            found = member if member.link is None else self._behind(path, member.link)
            if found.is_file:
                yield Entry(printable(path), found.size, found.where, found.problem)

    @functools.cached_property
    def _folders(self) -> set[str]:
        """All on the way to members, also those that are no members themselves."""
        found = {""}
        for path in self._members:
            folder = path
            while folder not in found:
                found.add(folder)
                folder = folder.rpartition("/")[0]
        return found

    def _behind(self, path: str, link: str) -> Member:
        """What a link leads to, by way of links to folders, too."""
        steps, at, followed = path.split("/")[::-1], list[str](), 0
        while steps:
            step = steps.pop()
            if step == ".." and not at:
                return _lost(link)  # out of the archive
            if step == "..":
                at.pop()
            if step in ("", ".", ".."):
                continue
            at.append(step)
            member = self._members.get("/".join(at))
            if member is None or member.link is None:
                continue
            followed += 1
            if followed > _LINKS_FOLLOWED:
                detail = f"a link to '{printable(link)}', which leads in a circle"
                return Member(problem=Rejected(Reason.MISSING, detail))
            at = [] if member.link.startswith("/") else at[:-1]
            steps += member.link.split("/")[::-1]
        end = "/".join(at)
        nothing = NO_FILE if end in self._folders else _lost(link)
        return self._members.get(end, nothing)
