import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from components.shared.errors import NotBlessed, PipelineError, UsageError
from components.shared.published import champion_in
from tests.components.export.judged import publish

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
def start():
    """Start publishing in a new process, which is killed when the test ends."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-u", "-c", PUBLISH, *map(str, arguments)],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def versions(root, name="faces"):
    return sorted(path.name for path in (root / name).iterdir() if path.name.isdigit())


def leftovers(root, name="faces"):
    return list((root / name).glob(".publishing-*"))


def assert_whole(version, digest):
    """A version folder is the content of saved_model/ with the other files beside it."""
    files = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}
    assert files == {
        "saved_model.pb",
        "variables/variables.index",
        "generator.keras",
        "model.json",
        "dcgan.gif",
        "latent_walk.gif",
        "dcgan.webp",
    }
    for path in files:
        assert digest in (version / path).read_text(), path


def test_the_first_publish_is_version_1(make_model, tmp_path):
    root = tmp_path / "not/there/yet"
    version = publish(make_model(tmp_path / "model", "aaa"), root)
    assert version == str(root / "faces/1")
    assert_whole(Path(version), "aaa")
    assert not leftovers(root)


def test_what_it_learned_from_is_published_with_it(make_model, tmp_path):
    data = tmp_path / "validation/data.json", tmp_path / "evaluation/real_features.npz"
    for path in data:
        path.parent.mkdir()
        path.write_text(f"{path.name} of aaa")
    version = Path(
        publish(
            make_model(tmp_path / "model", "aaa"),
            tmp_path / "root",
            beside={path.name: path for path in data},
        )
    )
    for path in data:
        assert (version / path.name).read_text() == path.read_text()


def test_without_what_it_learned_from_nothing_is_published(make_model, tmp_path):
    missing = {"data.json": tmp_path / "data.json"}
    with pytest.raises(UsageError, match=r"No such file or directory \(\S+/data\.json\)"):
        publish(make_model(tmp_path / "model", "aaa"), tmp_path / "root", beside=missing)
    assert not versions(tmp_path / "root")
    assert not leftovers(tmp_path / "root")


def test_the_same_model_twice_is_one_version(make_model, tmp_path, caplog):
    model, root = make_model(tmp_path / "model", "aaa"), tmp_path / "root"
    caplog.set_level("INFO", logger="dcgan.publish")
    assert publish(model, root) == publish(model, root)
    assert versions(root) == ["1"]
    assert caplog.messages[-1] == "faces is published already, as version 1"


def test_another_model_is_the_next_version(make_model, tmp_path):
    root = tmp_path / "root"
    publish(make_model(tmp_path / "a", "aaa"), root)
    assert publish(make_model(tmp_path / "b", "bbb"), root, "aaa") == str(root / "faces/2")
    assert_whole(root / "faces/1", "aaa")
    assert_whole(root / "faces/2", "bbb")


def test_going_back_to_an_older_model_is_a_new_version(make_model, tmp_path):
    """TensorFlow Serving serves the highest number: only the newest counts as there already."""
    root, old = tmp_path / "root", make_model(tmp_path / "a", "aaa")
    publish(old, root)
    publish(make_model(tmp_path / "b", "bbb"), root, "aaa")
    assert publish(old, root, "bbb") == str(root / "faces/3")


@pytest.mark.parametrize("champion", [None, "aaa"])
def test_one_that_this_model_was_not_compared_with_is_not_replaced(make_model, tmp_path, champion):
    """Another run published since: whether this model is better, nobody has looked at."""
    root = tmp_path / "root"
    publish(make_model(tmp_path / "a", "aaa"), root)
    publish(make_model(tmp_path / "b", "bbb"), root, "aaa")
    with pytest.raises(PipelineError, match=rf"{root}/faces/2 is what .*: give the same command"):
        publish(make_model(tmp_path / "c", "ccc"), root, champion)
    assert versions(root) == ["1", "2"]
    assert not leftovers(root)


def test_versions_are_numbers_not_names(make_model, tmp_path):
    home = tmp_path / "root/faces"
    for name in ("9", "10", "0012", "99x", "²"):
        (home / name).mkdir(parents=True)
    (home / "11").write_text("a file")
    assert publish(make_model(tmp_path / "a", "aaa"), tmp_path / "root") == str(home / "13")


@pytest.mark.parametrize("content", ["", "[]", "{}", '"x"', "not json"])
def test_a_newest_version_of_other_making_is_left_alone(make_model, tmp_path, content):
    (tmp_path / "root/faces/1").mkdir(parents=True)
    (tmp_path / "root/faces/1/model.json").write_text(content)
    publish(make_model(tmp_path / "a", "aaa"), tmp_path / "root")
    assert versions(tmp_path / "root") == ["1", "2"]
    assert (tmp_path / "root/faces/1/model.json").read_text() == content


def test_models_of_two_names_do_not_meet(make_model, tmp_path):
    root = tmp_path / "root"
    publish(make_model(tmp_path / "a", "aaa"), root)
    other = make_model(tmp_path / "b", "bbb", name="cats")
    assert publish(other, root) == str(root / "cats/1")


def test_not_blessed_is_refused_and_nothing_is_written(make_model, tmp_path):
    model = make_model(tmp_path / "model", "aaa")
    with pytest.raises(NotBlessed, match=r"faces is not published, not blessed: KID 0\.6 is above"):
        publish(model, tmp_path / "root", blessed=False)
    assert not (tmp_path / "root").exists()


def test_a_version_can_be_read_by_others(make_model, tmp_path):
    """TensorFlow Serving runs as another user; a folder from tempfile would be 0700."""
    version = Path(publish(make_model(tmp_path / "model", "aaa"), tmp_path / "root"))
    assert version.stat().st_mode & 0o777 == (tmp_path / "model").stat().st_mode & 0o777


@pytest.mark.parametrize(("kept", "left"), [(1, ["5"]), (3, ["3", "4", "5"]), (9, list("12345"))])
def test_only_the_newest_versions_stay(make_model, tmp_path, kept, left):
    root, before = tmp_path / "root", None
    for number in range(5):
        digest = str(number) * 3
        publish(make_model(tmp_path / digest, digest), root, before, versions_kept=kept)
        before = digest
    assert versions(root) == left
    assert not leftovers(root)
    assert_whole(root / "faces/5", "444")


def test_a_version_that_others_made_is_not_removed(make_model, tmp_path):
    (tmp_path / "root/faces/1").mkdir(parents=True)
    publish(make_model(tmp_path / "a", "aaa"), tmp_path / "root")
    publish(make_model(tmp_path / "b", "bbb"), tmp_path / "root", "aaa", versions_kept=1)
    assert versions(tmp_path / "root") == ["1", "3"]


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
