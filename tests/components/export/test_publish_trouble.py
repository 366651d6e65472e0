"""Publishing to a folder when something goes wrong, or several do it at once."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from components.shared.errors import PipelineError, UsageError
from components.shared.published import champion_in
from tests.components.export.judged import publish
from tests.components.export.places import assert_whole, leftovers, versions

# Publishes argv[1] to argv[2]; with a third argument stops for ever once a file is copied.
PUBLISH = """
import logging, shutil, sys, time
from pathlib import Path
from tests.components.export.judged import publish
logging.basicConfig(stream=sys.stdout, level="INFO", format="%(message)s")
if len(sys.argv) > 3:
    copy = shutil.copy2
    def copy_and_hang(*arguments):
        copy(*arguments)
        print("copied", flush=True)
        time.sleep(600)
    shutil.copy2 = copy_and_hang
print(publish(Path(sys.argv[1]), Path(sys.argv[2])))
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""

# Publishes argv[1] to argv[2] after "bbb"; is killed before it writes for the argv[3]-th time.
PUBLISH_AND_DIE = """
import os, signal, sys
from pathlib import Path
from tests.components.export.judged import publish
left = int(sys.argv[3])
def count(event, arguments):
    global left
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
publish(Path(sys.argv[1]), Path(sys.argv[2]), "bbb", versions_kept=2)
"""


@pytest.fixture
def start(start_python):
    """Start publishing in a new process."""
    return lambda *arguments: start_python(PUBLISH, *arguments)


class TestTrouble:
    def test_a_full_disk_leaves_nothing(self, make_model, tmp_path, monkeypatch):
        def fill(source, target):
            target.write_text("hal")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(shutil, "copy2", fill)
        with pytest.raises(UsageError, match=r"root/faces: No space left on device"):
            publish(make_model(tmp_path / "model", "aaa"), tmp_path / "root")
        assert not versions(tmp_path / "root")
        assert not leftovers(tmp_path / "root")

    def test_a_disk_too_full_for_the_new_name(self, make_model, tmp_path, monkeypatch):
        def fail(*_):
            raise OSError(errno.EDQUOT, "Disk quota exceeded")

        monkeypatch.setattr(Path, "rename", fail)
        with pytest.raises(UsageError, match="root/faces: Disk quota exceeded"):
            publish(make_model(tmp_path / "model", "aaa"), tmp_path / "root")
        assert not leftovers(tmp_path / "root")

    def test_a_disk_that_is_really_full(self, make_model, tmp_path, tmpfs):
        model = make_model(tmp_path / "model", "aaa")
        (model / "saved_model/variables/variables.index").write_bytes(bytes(2_000_000))
        with pytest.raises(UsageError, match=r"faces: .*No space left on device"):
            publish(model, tmpfs)
        assert [path.name for path in (tmpfs / "faces").iterdir()] == [".lock"]
        (model / "saved_model/variables/variables.index").write_text("small")
        assert publish(model, tmpfs) == str(tmpfs / "faces/1")

    def test_a_root_under_a_file(self, make_model, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(UsageError, match=rf"cannot publish to {tmp_path}/file/faces"):
            publish(make_model(tmp_path / "model", "aaa"), tmp_path / "file")

    def test_a_read_only_root(self, make_model, tmp_path, tmpfs):
        subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
        with pytest.raises(UsageError, match=rf"{tmpfs}/faces: Read-only file system"):
            publish(make_model(tmp_path / "model", "aaa"), tmpfs)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_root_without_permission(self, make_model, tmp_path):
        (tmp_path / "root").mkdir(mode=0o500)
        with pytest.raises(UsageError, match=r"root/faces: Permission denied"):
            publish(make_model(tmp_path / "model", "aaa"), tmp_path / "root")

    def test_killed_half_way(self, make_model, tmp_path, start):
        root = tmp_path / "root"
        process = start(make_model(tmp_path / "a", "aaa"), root, "hang")
        assert process.stdout.readline() == "copied\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not versions(root)
        assert len(leftovers(root)) == 1

        assert publish(make_model(tmp_path / "b", "bbb"), root) == str(root / "faces/1")
        assert_whole(root / "faces/1", "bbb")
        assert not leftovers(root)

    def test_killed_at_any_point(self, make_model, tmp_path):
        """Before each folder, file, rename and removal of its own, until it has none left."""
        old, new, newer = (make_model(tmp_path / name, name * 3) for name in "abc")
        newest, served, died = make_model(tmp_path / "d", "ddd"), set(), 0
        while True:
            root = tmp_path / f"root {died}"
            publish(old, root)
            publish(new, root, "aaa")
            command = [sys.executable, "-c", PUBLISH_AND_DIE, newer, root, str(died + 1)]
            done = subprocess.run(command, cwd=Path(__file__).parents[3], check=False)
            champion = champion_in(root / "faces")
            served.add((champion.version, champion.digest))
            for version in versions(root):
                assert_whole(root / "faces" / version, {1: "a", 2: "b", 3: "c"}[int(version)] * 3)
            last = publish(newest, root, champion.digest, versions_kept=2)
            assert versions(root) == [str(champion.version), Path(last).name]
            assert_whole(Path(last), "ddd")
            assert not leftovers(root)
            if done.returncode == 0:
                break
            assert done.returncode == -signal.SIGKILL
            died += 1
        assert died > 20
        assert served == {(2, "bbb"), (3, "ccc")}

    @pytest.fixture
    def tmpfs(self, tmp_path):
        """A file system of 1 MB."""
        folder = tmp_path / "tmpfs"
        folder.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
        if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("a file system can be mounted by root alone")
        yield folder
        subprocess.run(["umount", folder], check=True)


class TestTwoAtOnce:
    def test_of_different_models_the_first_is_published_whole(self, make_model, tmp_path, start):
        """The others were not compared with it."""
        root = tmp_path / "root"
        digests = ["aaa", "bbb", "ccc", "ddd"]
        processes = [start(make_model(tmp_path / digest, digest), root) for digest in digests]
        published = []
        for digest, process in zip(digests, processes, strict=True):
            _, errors = process.communicate()
            if process.returncode == 0:
                published.append(digest)
            else:
                assert f"PipelineError: {root}/faces/1 is what is published now" in errors
        assert versions(root) == ["1"]
        assert len(published) == 1
        assert_whole(root / "faces/1", published[0])
        assert not leftovers(root)

    def test_the_same_model_becomes_one_version(self, make_model, tmp_path):
        model, root, results = make_model(tmp_path / "a", "aaa"), tmp_path / "root", []
        threads = [
            threading.Thread(target=lambda: results.append(publish(model, root))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [str(root / "faces/1")] * 4
        assert versions(root) == ["1"]

    def test_a_living_copy_is_waited_for_and_not_removed(self, make_model, tmp_path, start):
        root = tmp_path / "root"
        first = start(make_model(tmp_path / "a", "aaa"), root, "hang")
        assert first.stdout.readline() == "copied\n"
        second = start(make_model(tmp_path / "b", "bbb"), root)
        assert second.stdout.readline().startswith("waiting for another publish")
        assert len(leftovers(root)) == 1
        assert not versions(root)
        first.send_signal(signal.SIGKILL)
        output, errors = second.communicate(timeout=60)
        assert second.returncode == 0, errors
        assert output.splitlines()[-1] == str(root / "faces/1")
        assert_whole(root / "faces/1", "bbb")

    def test_without_locks_a_number_taken_meanwhile_is_left_alone(
        self, make_model, tmp_path, monkeypatch
    ):
        """Another machine takes the number between our look and our rename."""

        def no_locks(*_):
            raise OSError(errno.ENOLCK, "No locks available")

        root = tmp_path / "root"
        living = root / "faces/.publishing-elsewhere"
        living.mkdir(parents=True)
        rename, taken = Path.rename, []

        def rename_too_late(self, target):
            if not taken:
                taken.append(target)
                make_model(target, "bbb")
            return rename(self, target)

        monkeypatch.setattr("components.export.in_folder.fcntl.flock", no_locks)
        monkeypatch.setattr(Path, "rename", rename_too_late)
        with pytest.raises(PipelineError, match=rf"{root}/faces/1 is what is published now"):
            publish(make_model(tmp_path / "a", "aaa"), root)
        assert taken == [root / "faces/1"]
        assert (taken[0] / "saved_model").exists(), "what the other machine put there"
        assert leftovers(root) == [living]
        assert living.exists()  # without a lock nobody knows whether it is still being copied
