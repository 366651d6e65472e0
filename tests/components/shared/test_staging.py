import subprocess
import sys
from pathlib import Path

import fsspec
import pytest

from components.shared.errors import UsageError
from components.shared.staging import Staging, staging_for

KILLED = """
import os, sys
from pathlib import Path
from components.shared.staging import staging_for

with staging_for(Path(sys.argv[1]), sys.argv[2], "ingest.staging") as staging:
    with staging.create("old") as path:
        path.write_text("left behind")
    print(staging.root, flush=True)
    os._exit(9)
"""


def leave(root: Path | str, output: Path) -> Staging:
    """Run a step that is killed; its staging folder stays, with a file in it."""
    command = [sys.executable, "-c", KILLED, output, root]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 9
    return Staging(done.stdout.strip())


def put_below(staging: Staging, name: str) -> None:
    """Write a file as TensorFlow would, by its path or address."""
    file_system, path = fsspec.core.url_to_fs(staging.path(name))
    file_system.makedirs(path.rpartition("/")[0], exist_ok=True)
    file_system.pipe_file(path, name.encode())


@pytest.fixture
def root(tmp_path, bucket):
    return {"folder": tmp_path / "staging", "bucket": f"{bucket.address}/some/prefix/"}


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_files_are_whole_or_absent_and_the_folder_goes(kind, root, tmp_path):
    with staging_for(tmp_path, str(root[kind]), "ingest.staging") as staging:
        with staging.create("b") as path:
            path.write_bytes(b"content")
            assert staging.names() == []
        with pytest.raises(OSError, match="disk"), staging.create("c") as path:
            path.write_bytes(b"half")
            raise OSError("disk")
        staging.put(Path(__file__), "a")
        assert staging.names() == ["a", "b"]
        assert staging.read("b") == b"content"
        staging.fetch("a", tmp_path / "fetched")
        with pytest.raises(FileNotFoundError):
            staging.read("missing")
        for name in ("graph/a", "graph/deeper/b"):
            put_below(staging, name)
        staging.fetch("graph", tmp_path / "graph")
    assert (tmp_path / "graph" / "deeper" / "b").read_text() == "graph/deeper/b"
    assert (tmp_path / "fetched").read_bytes() == Path(__file__).read_bytes()
    assert staging.names() == [] if kind == "bucket" else not Path(staging.root).exists()


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_what_a_killed_step_left_is_removed_by_the_next(kind, root, tmp_path):
    left = leave(root[kind], tmp_path)
    assert left.names() == ["old"]
    other = leave(root[kind], tmp_path / "another-output")
    with staging_for(tmp_path, str(root[kind]), "ingest.staging") as staging:
        assert staging.root == left.root
        assert staging.names() == []
    assert other.names() == ["old"]  # of a step that may still run


def test_without_a_setting_it_lies_in_the_output(tmp_path):
    with staging_for(tmp_path, "", "ingest.staging") as staging:
        assert Path(staging.root).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("staging", ["/dev/null/x", "nowhere://bucket"])
def test_folder_that_cannot_be_made_is_named(staging, tmp_path):
    with (
        pytest.raises(UsageError, match=rf"^ingest\.staging: cannot write to '{staging}' "),
        staging_for(tmp_path, staging, "ingest.staging"),
    ):
        pass


def test_missing_bucket_is_named(bucket, tmp_path):
    address = f"{bucket.address}-missing/prefix"
    with (
        pytest.raises(UsageError, match=r"^ingest\.staging: cannot write to"),
        staging_for(tmp_path, address, "ingest.staging"),
    ):
        pass
