import os
import re
import shutil
import subprocess
import sys

import pytest

from components.ingest.fingerprint import fingerprint
from components.shared.errors import UsageError
from components.shared.files import write_json


@pytest.fixture
def digest(tree):
    return fingerprint(str(tree))


def test_is_a_sha256_that_stays(tree, digest):
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert fingerprint(str(tree)) == fingerprint(f"{tree}/") == digest


def test_does_not_depend_on_place_times_or_the_order_of_creation(tree, digest, tmp_path):
    copy = tmp_path / "elsewhere"
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_file():
            target = copy / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            os.utime(target, (1, 1))
    assert fingerprint(str(copy)) == digest


def test_sees_a_file_edited_without_change_of_size_or_time(tree, digest):
    path = tree / "ATTRIBUTION.txt"
    status = path.stat()
    path.write_text("made here".upper())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint(str(tree)) != digest


def test_sees_a_file_renamed(tree, digest):
    (tree / "0.PNG").rename(tree / "00.PNG")
    assert fingerprint(str(tree)) != digest


def test_sees_a_file_added_and_one_removed(tree, digest):
    (tree / "new.txt").touch()
    assert fingerprint(str(tree)) != digest
    (tree / "new.txt").unlink()
    (tree / "0.PNG").unlink()
    assert fingerprint(str(tree)) != digest


def test_sees_two_contents_swapped(tree, digest):
    one, other = tree / "0.PNG", tree / "3.jpg"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert fingerprint(str(tree)) != digest


@pytest.mark.parametrize("name", ["faces.zip", "faces.tar", "faces.tar.gz"])
def test_of_an_archive_follows_its_bytes(tree, pack, name):
    archive = pack(tree, name)
    before = fingerprint(str(archive))
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    assert fingerprint(str(archive)) != before


def test_a_link_that_leads_nowhere_is_part_of_it(tree, digest):
    (tree / "lost.jpg").symlink_to("nowhere")
    assert fingerprint(str(tree)) != digest


@pytest.mark.parametrize("missing", ["no/such/folder", ""])
def test_names_a_missing_path_and_says_what_to_pass(missing):
    with pytest.raises(UsageError, match=rf"'{missing}'.* a folder, a \.zip or a \.tar") as caught:
        fingerprint(missing)
    assert caught.value.exit_code == 2


def test_refuses_a_file_that_is_no_archive(tree):
    with pytest.raises(UsageError, match=r"ATTRIBUTION\.txt' is neither a folder nor a whole"):
        fingerprint(str(tree / "ATTRIBUTION.txt"))


@pytest.mark.parametrize(("config", "model"), [({"model_name": "faces"}, "faces"), ({}, "dcgan")])
def test_the_component_sees_the_published_model_too(tree, digest, tmp_path, config, model):
    code = (
        "import sys; from components.ingest.component import fingerprint\n"
        f"root, config = {str(tmp_path / 'root')!r}, {config!r}\n"
        f"print(*fingerprint.python_func({str(tree)!r}, root, '', config), sep=',')"
    )

    def seen():
        command = [sys.executable, "-W", "ignore", "-c", code]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return run.stdout.splitlines()[-1].split(",")

    assert seen() == [digest, "none"]
    (tmp_path / "root" / model / "1").mkdir(parents=True)
    write_json(tmp_path / "root" / model / "1" / "model.json", {"digest": "abc"})
    assert seen() == [digest, "abc"]


def test_imports_nothing_heavy():
    code = (
        "import sys, components.ingest.fingerprint; "
        "print({'apache_beam', 'tensorflow', 'numpy', 'PIL'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
