"""Where Beam's workers leave what they made, file by file, for the step to take up."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path


class Staging:
    """Whole files by name in a folder. Workers get pickled copies."""

    def __init__(self, root: Path) -> None:
        """Name a folder, which exists."""
        self.root = root

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[Path]:
        """Yield a path to write; what is there becomes file `name`, whole or not at all."""
        partial = self.root / f".{name}.{uuid.uuid4().hex}"
        try:
            yield partial
            partial.replace(self.root / name)
        finally:
            partial.unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Names of the whole files, sorted."""
        return sorted(path.name for path in self.root.iterdir() if path.name[0] != ".")

    def read(self, name: str) -> bytes:
        """Content of a file."""
        return (self.root / name).read_bytes()

    def fetch(self, name: str, target: Path) -> None:
        """Move a file out, within the same file system."""
        shutil.move(self.root / name, target)
