"""A zoo of files that a folder of pictures may hold, each with how ingest must end for it.

python -m tests.components.ingest.zoo FOLDER    writes them there
"""

import collections
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.components.ingest.zoo_bad import bad_files, bombs
from tests.components.ingest.zoo_files import encode, picture
from tests.components.ingest.zoo_good import USED, good_files

DUPLICATE = "duplicate"
OTHER = "other"  # not looked at: hidden, or no picture's extension


class Kind(NamedTuple):
    """One file of the zoo."""

    name: str  # of the kind
    path: str  # os.fsencode(path) are its bytes; relative, '/' between folders
    content: bytes
    expected: str  # USED, DUPLICATE, OTHER or a Reason's text
    portable: bool = True  # whether a zip and a bucket can hold such a path


def kinds() -> list[Kind]:
    """All kinds, the same ones at every call."""
    found = [*_named()]
    for folder, files in (("good", good_files()), ("bad", bad_files()), ("bombs", bombs())):
        for path, content, expected in files:
            found.append(Kind(f"{folder}: {path}", f"{folder}/{path}", content, expected))
    return found


def write(folder: Path, chosen: list[Kind]) -> None:
    """Write kinds to a folder."""
    for kind in chosen:
        path = folder / kind.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kind.content)


def differences(outcomes: Mapping[str, str], chosen: list[Kind]) -> str:
    """Compare what became of each path with what had to, one line for each that differs.

    Args:
        outcomes: By path, as ingest shows it (non-UTF-8 bytes as ``\\xff``): `train`, `eval`,
            `duplicate` or a reason. Files that were not looked at are absent.
        chosen: The kinds that were there.

    Returns:
        "" where all is as it must be.
    """
    lines = []
    expected = {shown(kind.path): kind for kind in chosen}
    for path, kind in expected.items():
        outcome = outcomes.get(path, OTHER)
        outcome = USED if outcome in ("train", "eval") else outcome
        if outcome != kind.expected:
            lines.append(f"{kind.name} ({path!r}): {outcome!r}, expected {kind.expected!r}")
    lines += [f"{path!r} is no file of the zoo" for path in sorted(outcomes.keys() - expected)]
    return "\n".join(lines)


def shown(path: str) -> str:
    """A path as ingest writes it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _named() -> list[Kind]:
    """Odd names, each with a picture of its own."""
    names = {
        "spaces": "my  holiday pictures/ a b .png",
        "brackets": "[2024]/{a,b}[0-9].png",
        "stars and question marks": "star*/what?*.png",
        "shell": "$HOME `id` ;|&>.png",
        "quotes": 'it\'s "quoted".png',
        "percent": "100%25 %2e%2e%2f.png",
        "address": "a#b?c&d=e+f:g@h.png",
        "backslash": "back\\slash.png",
        "leading dash": "-rf.png",
        "leading at": "@manifest.png",
        "tilde": "~root.png",
        "upper case": "UPPER.PNG",
        "mixed case": "Mixed.JpEg",
        "two extensions": "photo.png.jpg",
        "many dots": "a...b..png",
        "composed": "caf\u00e9.png",
        "decomposed": "cafe\u0301.png",
        "emoji": "\N{SLICE OF PIZZA}/\N{SNOWMAN}.png",
        "right to left": "\u05e9\u05dc\u05d5\u05dd.png",
        "line separator": "a\u2028b.png",
        "very long": "x" * 251 + ".png",
        "very deep": "d/" * 40 + "deep.png",
        "a folder like a picture": "folder.png/inside.png",
        "two with one name, here": "one/same.png",
        "two with one name, there": "two/same.png",
        "no extension": "no_extension",
    }
    unportable = {
        "not UTF-8": os.fsdecode(b"caf\xe9.png"),
        "not UTF-8, either": os.fsdecode(b"\xff\xfe/\x80.png"),
        "newline": "two\nlines.png",
        "control characters": "bell\a\ttab.png",
    }
    found = []
    for number, (name, path) in enumerate({**names, **unportable}.items()):
        form = "JPEG" if path.lower().endswith(("jpg", "jpeg")) else "PNG"
        content = encode(picture(1000 + number), form)
        portable = name not in unportable
        found.append(Kind(f"named: {name}", f"named/{path}", content, USED, portable))
    whole = encode(picture(999), "PNG")
    found += [
        Kind("named: the first of two equal ones", "equal/a.png", whole, USED),
        Kind("named: the second of two equal ones", "equal/b.jpg", whole, DUPLICATE),
        Kind("named: equal, in another folder", "named/equal.png", whole, DUPLICATE),
        Kind("other: hidden", "named/.hidden.png", whole, OTHER),
        Kind("other: in a hidden folder", "named/.thumbnails/a.png", whole, OTHER),
        Kind("other: from macOS", "__MACOSX/named/._a.png", b"\0\5\x16\7", OTHER),
        Kind("other: text", "ATTRIBUTION.txt", b"made here\n", OTHER),
        Kind("other: no extension, no picture", "named/LICENSE", b"CC0\n", OTHER),
        Kind("other: no extension, empty", "named/_SUCCESS", b"", OTHER),
        Kind("other: no extension, begins as a bitmap", "named/NOTES", b"BMW and others\n", OTHER),
        Kind("other: no extension, begins as a GIF", "named/MEMO", b"GIF89a is old\n", OTHER),
        Kind("other: no extension, half a picture", "named/part", whole[:300], OTHER),
        Kind("other: macOS' icon of a folder", "named/Icon\r", b"", OTHER, portable=False),
        Kind("other: Windows' thumbnails", "named/Thumbs.db", b"\xd0\xcf\x11\xe0", OTHER),
    ]
    return found


def main() -> None:
    """Write the zoo to the folder that the command line names."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.components.ingest.zoo FOLDER")
    every = kinds()
    write(Path(sys.argv[1]), every)
    counts = collections.Counter(kind.expected for kind in every)
    ends = ", ".join(f"{count} {end}" for end, count in sorted(counts.items()))
    print(f"{len(every)} files in {sys.argv[1]}: {ends}")


if __name__ == "__main__":
    main()
