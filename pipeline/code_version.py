"""Digests of the components' source, since caches do not see edits inside a package."""

import functools
import hashlib
from pathlib import Path

import components
from components.shared.contracts import ROOMS

_ROOT = Path(components.__file__).parent


@functools.cache  # a process runs the code that it began with
def code_version(step: str) -> str:
    """Digest of all files that a step's process runs: its own room and those it shares."""
    digest = hashlib.sha256()
    rooms = (_ROOT / room for room in ROOMS[step])
    for path in sorted(
        [*_ROOT.glob("*.py"), *(path for room in rooms for path in room.rglob("*"))]
    ):
        # Names with a dot in front are an editor's, not code.
        if path.is_file() and "__pycache__" not in path.parts and path.name[0] != ".":
            digest.update(f"{path.relative_to(_ROOT).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
