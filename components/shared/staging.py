"""Where Beam's workers leave what they made: a folder that they and the step both reach."""

import contextlib
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.shared.buckets import client_for, is_remote
from components.shared.errors import UsageError, one_line
from components.shared.files import digest_of


@contextlib.contextmanager
def staging_for(output: Path, staging: str, setting: str) -> Iterator["Staging"]:
    """Yield an empty staging folder, and remove it in the end.

    It is named by `output`, so that a step that is started again after a kill begins by
    removing what the first one left.

    Args:
        output: Folder that the step makes, which exists.
        staging: Where the staging folder goes: a folder, `gs://…` or `s3://…`; "" for `output`
            itself, which workers on other machines do not see.
        setting: Name of the setting that `staging` came from, for messages.

    Raises:
        UsageError: Nothing can be written there.
    """
    root = staging.rstrip("/") if is_remote(staging) else str(Path(staging or output).absolute())
    staged = Staging(f"{root}/.staging-{digest_of(str(output.absolute()))[:16]}")
    try:
        staged.clear()
        staged.create_root()
    except Exception as error:  # fsspec's file systems have errors of their own
        raise UsageError(
            f"{setting}: cannot write to '{staging or output}' ({one_line(error)}): name a folder "
            "or a bucket's prefix that all workers may write to"
        ) from error
    try:
        yield staged
    finally:
        staged.clear()


class Staging:
    """Files by name in a folder or under a bucket's prefix. Workers get pickled copies."""

    def __init__(self, root: str) -> None:
        """Name a folder, or an address such as `gs://bucket/prefix`."""
        self.root = root
        self.is_local = not is_remote(root)

    def path(self, name: str) -> str:
        """Path or address of a file, for those that open it themselves."""
        return f"{self.root}/{name}"

    def create_root(self) -> None:
        """Make the folder; a bucket needs none."""
        if self.is_local:
            Path(self.root).mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[Path]:
        """Yield a local path; what is written there becomes file `name`, whole or not at all."""
        if self.is_local:
            partial = Path(self.root, f".{name}.{uuid.uuid4().hex}")
            try:
                yield partial
                partial.replace(self.path(name))
            finally:
                partial.unlink(missing_ok=True)
        else:
            with tempfile.TemporaryDirectory() as folder:
                partial = Path(folder, "file")
                yield partial
                self._bucket().put_file(str(partial), self.path(name))

    def put(self, local: Path, name: str) -> None:
        """Copy a local file into the folder."""
        with self.create(name) as partial:
            shutil.copyfile(local, partial)

    def names(self) -> list[str]:
        """Names of the whole files, sorted."""
        if self.is_local:
            found = (path.name for path in Path(self.root).iterdir())
        else:
            found = (path.rpartition("/")[2] for path in self._bucket().find(self.root))
        return sorted(name for name in found if not name.startswith("."))

    def read(self, name: str) -> bytes:
        """Content of a file."""
        if self.is_local:
            return Path(self.path(name)).read_bytes()
        content: bytes = self._bucket().cat_file(self.path(name))
        return content

    def fetch(self, name: str, target: Path) -> None:
        """Have a file or folder at a local path; it leaves this folder if that is a local one."""
        if self.is_local:
            shutil.move(self.path(name), target)
        else:
            self._bucket().get(self.path(name), str(target), recursive=True)

    def clear(self) -> None:
        """Remove the folder and what is in it."""
        if self.is_local:
            shutil.rmtree(self.root, ignore_errors=True)
        elif found := self._bucket().find(self.root):
            self._bucket().rm(found)

    def _bucket(self) -> Any:
        return client_for(self.root)
