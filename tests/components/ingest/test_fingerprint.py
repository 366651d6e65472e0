import errno
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from components.ingest import fingerprint as module
from components.shared.errors import UsageError
from components.shared.files import digest_of, read_json, write_json

_OPENED = []  # every file that this process opens
sys.addaudithook(lambda event, values: _OPENED.append(values[0]) if event == "open" else None)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "checkpoints" / "fingerprints"


@pytest.fixture
def fingerprint(cache):
    """Fingerprint with this test's cache; folders and archives by their paths."""

    def fingerprint(*sources, paranoid=False):
        return module.fingerprint("\n".join(map(str, sources)), cache, paranoid)

    return fingerprint


@pytest.fixture
def digest(tree, fingerprint):
    return fingerprint(tree)


@pytest.fixture
def settled(monkeypatch):
    """As if all files had been left alone for a minute."""
    now = time.time_ns
    monkeypatch.setattr(module.time, "time_ns", lambda: now() + 60 * 10**9)


@pytest.fixture
def read(fingerprint):
    """Fingerprint, and tell which files' content was read, by their names."""

    def read(*sources, **options):
        _OPENED.clear()
        digest = fingerprint(*sources, **options)
        opened = {str(path) for path in _OPENED if isinstance(path, str | os.PathLike)}
        inside = {path for path in opened if any(path.startswith(str(one)) for one in sources)}
        return digest, {os.path.basename(path) for path in inside}  # noqa: PTH119

    return read


def test_is_a_sha256_that_stays(tree, digest, fingerprint):
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert fingerprint(tree) == fingerprint(f"{tree}/") == digest


def test_does_not_depend_on_place_times_or_the_order_of_creation(
    tree, digest, tmp_path, fingerprint
):
    copy = tmp_path / "elsewhere"
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_file():
            target = copy / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            os.utime(target, (1, 1))
    assert fingerprint(copy) == digest


def test_sees_a_file_edited_without_change_of_size_or_time(tree, digest, fingerprint):
    path = tree / "ATTRIBUTION.txt"
    status = path.stat()
    path.write_text("made here".upper())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint(tree) != digest


def test_sees_a_file_renamed(tree, digest, fingerprint):
    (tree / "0.PNG").rename(tree / "00.PNG")
    assert fingerprint(tree) != digest


def test_sees_a_file_added_and_one_removed(tree, digest, fingerprint):
    (tree / "new.txt").touch()
    assert fingerprint(tree) != digest
    (tree / "new.txt").unlink()
    (tree / "0.PNG").unlink()
    assert fingerprint(tree) != digest


def test_sees_two_contents_swapped(tree, digest, fingerprint):
    one, other = tree / "0.PNG", tree / "3.jpg"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    assert fingerprint(tree) != digest


@pytest.mark.parametrize("name", ["faces.zip", "faces.tar", "faces.tar.gz"])
def test_of_an_archive_follows_its_bytes(tree, pack, name, fingerprint):
    archive = pack(tree, name)
    before = fingerprint(archive)
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    assert fingerprint(archive) != before


def test_a_link_that_leads_nowhere_is_part_of_it(tree, digest, fingerprint):
    (tree / "lost.jpg").symlink_to("nowhere")
    assert fingerprint(tree) != digest


@pytest.mark.parametrize("missing", ["no/such/folder", ""])
def test_names_a_missing_path_and_says_what_to_pass(missing, fingerprint):
    with pytest.raises(UsageError, match=rf"'{missing}'.* a folder, a \.zip or a \.tar") as caught:
        fingerprint(missing)
    assert caught.value.exit_code == 2


def test_refuses_a_file_that_is_no_archive(tree, fingerprint):
    with pytest.raises(UsageError, match=r"ATTRIBUTION\.txt' is neither a folder nor a whole"):
        fingerprint(tree / "ATTRIBUTION.txt")


@pytest.fixture
def seen(tree, cache):
    """Run the component in a process of its own; gives its outputs."""

    def seen(publish_root, config):
        code = (
            "import sys; from components.ingest.component import fingerprint\n"
            f"places = {str(tree)!r}, {str(publish_root)!r}, {str(cache.parent)!r}\n"
            f"seen = fingerprint.python_func(*places, False, '', {{}}, {config!r})\n"
            "print(*seen, sep=',')"
        )
        command = [sys.executable, "-W", "ignore", "-c", code]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        return run.stdout.splitlines()[-1].split(",")

    return seen


@pytest.mark.parametrize(("config", "model"), [({"model_name": "faces"}, "faces"), ({}, "dcgan")])
def test_the_component_sees_the_published_model_too(seen, digest, tmp_path, config, model):
    assert seen(tmp_path, config) == [digest, "none"]
    (tmp_path / model / "1").mkdir(parents=True)
    write_json(tmp_path / model / "1" / "model.json", {"digest": "abc"})
    assert seen(tmp_path, config) == [digest, "abc"]


def test_what_was_withdrawn_is_seen_so_that_no_cached_verdict_passes_it(seen, digest, bucket):
    """The same model was the champion before, when what is withdrawn now was better."""
    root = f"{bucket.address}/models"
    bucket.put("models/dcgan/3/model.json", b'{"digest": "abc", "withdrawn": ["b", "c"]}')
    assert seen(root, {}) == [digest, "none"]
    bucket.put("models/dcgan/3/saved_model.pb", b"")
    assert seen(root, {}) == [digest, "abc b c"]


def test_imports_nothing_heavy():
    code = (
        "import sys, components.ingest.fingerprint; "
        "print({'apache_beam', 'tensorflow', 'numpy', 'PIL'} & {*sys.modules})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_what_did_not_change_is_not_read_again(tree, read, settled):
    digest, first = read(tree)
    assert len(first) == 41
    assert read(tree) == (digest, set())
    (tree / "sub/new.txt").touch()
    changed, then = read(tree)
    assert changed != digest
    assert then == {"new.txt"}
    (tree / "sub/new.txt").unlink()
    assert read(tree) == (digest, set())


def test_a_changed_archive_is_read_though_size_and_time_are_the_old_ones(
    tree, pack, fingerprint, settled
):
    archive = pack(tree, "faces.tar")
    digest = fingerprint(archive)
    status = archive.stat()
    with archive.open("r+b") as file:
        file.seek(status.st_size // 2)
        file.write(b"something else")
    os.utime(archive, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert fingerprint(archive) != digest


def test_a_changed_file_is_read_though_size_and_time_are_the_old_ones(tree, read, settled):
    digest = read(tree)[0]
    path = tree / "ATTRIBUTION.txt"
    status = path.stat()
    path.write_text("made here".upper())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    changed, names = read(tree)
    assert changed != digest
    assert names == {"ATTRIBUTION.txt"}


def test_a_file_put_in_the_place_of_another_is_read(tree, tmp_path, read, settled):
    digest = read(tree)[0]
    path = tree / "ATTRIBUTION.txt"
    status = path.stat()
    (tmp_path / "other").write_text("made then")
    os.utime(tmp_path / "other", ns=(status.st_atime_ns, status.st_mtime_ns))
    (tmp_path / "other").replace(path)
    changed, names = read(tree)
    assert changed != digest
    assert names == {"ATTRIBUTION.txt"}


def test_a_file_that_changed_just_now_is_not_trusted(tree, read):
    """It may change again within the same tick of the file system's clock."""
    for path in tree.rglob("*"):
        os.utime(path, (1, 1))
    digest, first = read(tree)
    assert read(tree) == (digest, first)
    assert len(first) == 41


def test_paranoid_reads_everything_and_gives_the_same(tree, read, settled):
    digest, names = read(tree, paranoid=True)
    assert read(tree) == (digest, set())
    assert read(tree, paranoid=True) == (digest, names)


@pytest.mark.parametrize(("name", "key"), [("tree", "0.PNG"), ("f.zip", ""), ("f.tgz", "")])
def test_the_cache_is_what_counts_and_paranoid_mends_it(
    tree, pack, fingerprint, cache, settled, name, key
):
    source = tree if name == "tree" else pack(tree, name)
    digest = fingerprint(source)
    (file,) = cache.iterdir()
    files = read_json(file)["files"]
    files[key][1] = "0" * 64
    write_json(file, {"files": files, "sha256": digest_of(files)})
    assert fingerprint(source) != digest, "no content was read"
    assert fingerprint(source, paranoid=True) == digest
    assert fingerprint(source) == digest


def halved(content):
    return content[: len(content) // 2]


def with_another_digest(content):
    stored = json.loads(content)
    stored["files"]["0.PNG"][1] = "0" * 64
    return json.dumps(stored).encode()


@pytest.mark.parametrize(
    "damage",
    [
        halved,
        with_another_digest,
        lambda _: b"",
        lambda _: b"[]",
        lambda _: b"null",
        lambda _: b"\xff\xfe",
        lambda _: b'{"files": {}}',
        lambda _: b'{"files": {"0.PNG": []}, "sha256": "1"}',
        lambda _: b"[" * 100_000,
    ],
)
def test_a_damaged_cache_is_no_cache(tree, read, cache, settled, damage):
    digest, names = read(tree)
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert read(tree) == (digest, names)
    assert read(tree) == (digest, set()), "it is written anew"


def test_the_cache_forgets_files_that_are_gone(tree, fingerprint, cache, settled):
    fingerprint(tree)
    (file,) = cache.iterdir()
    assert "0.PNG" in read_json(file)["files"]
    (tree / "0.PNG").unlink()
    fingerprint(tree)
    assert "0.PNG" not in read_json(file)["files"]
    assert [path.name for path in cache.iterdir()] == [file.name], "no partial file is left"


def test_a_link_is_followed_when_what_it_leads_to_is_there_again(
    tree, tmp_path, fingerprint, settled
):
    (tree / "away.jpg").symlink_to(tmp_path / "away")
    digest = fingerprint(tree)
    assert fingerprint(tree) == digest
    (tmp_path / "away").write_text("back")
    assert fingerprint(tree) != digest


def test_what_may_not_be_read_is_tried_again(tree, fingerprint, settled, monkeypatch):
    """A server may allow it again, and no time of the file tells."""

    def deny(path):
        raise PermissionError(errno.EACCES, "denied", path)

    with monkeypatch.context() as patch:
        patch.setattr(module, "digest_of_file", deny)
        digest = fingerprint(tree)
    assert fingerprint(tree) != digest


def test_names_that_are_no_text_and_look_alike(tree, read, settled):
    (tree / os.fsdecode(b"\xff.jpg")).write_text("one")
    (tree / r"\xff.jpg").write_text("two")
    digest = read(tree)[0]
    assert read(tree)[0] == digest
    (tree / os.fsdecode(b"\xff.jpg")).write_text("ONE")
    assert read(tree)[0] != digest


def test_a_moved_folder_gives_the_same(tree, tmp_path, read, settled):
    digest = read(tree)[0]
    moved = tree.rename(tmp_path / "moved")
    assert read(moved)[0] == digest


def test_several_sources_each_with_a_cache_of_its_own(tree, pack, read, cache, settled):
    archive = pack(tree, "faces.zip")
    other = shutil.copytree(tree / "sub", tree.parent / "other")
    digest = read(tree, archive, other)[0]
    assert digest not in {read(one)[0] for one in (tree, archive, other)}
    assert read(tree, archive, other)[0] == digest
    assert len(list(cache.iterdir())) == 3
    (other / "new.txt").touch()
    changed, names = read(tree, archive, other)
    assert changed != digest
    assert names - {"faces.zip"} == {"new.txt"}


@pytest.mark.parametrize("paranoid", [False, True])
def test_of_a_bucket_the_listing_counts(fingerprint, bucket, cache, monkeypatch, paranoid):
    source = f"{bucket.address}/faces"
    bucket.put("faces/a.jpg", b"one")
    bucket.put("faces/b.jpg", b"two")
    monkeypatch.setattr(type(bucket.client), "cat_file", None)  # nothing is to be read
    digests = [fingerprint(source, paranoid=paranoid)]
    bucket.put("beside/c.jpg", b"three")
    assert fingerprint(source, paranoid=paranoid) == digests[0]
    for change in (
        lambda: bucket.put("faces/c.jpg", b"two"),  # added
        lambda: bucket.remove("faces/b.jpg"),
        lambda: bucket.put("faces/a.jpg", b"ONE"),  # the same size
    ):
        change()
        digests.append(fingerprint(source, paranoid=paranoid))
    assert len(set(digests)) == 4
    assert not cache.exists(), "there is nothing to keep"


@pytest.mark.parametrize("name", ["f.zip", "f.tgz"])
def test_of_an_archive_in_a_bucket_its_stamp_counts(fingerprint, bucket, tree, pack, name):
    content = pack(tree, name).read_bytes()
    bucket.put(name, content)
    digest = fingerprint(f"{bucket.address}/{name}")
    assert fingerprint(f"{bucket.address}/{name}") == digest
    (tree / "0.PNG").rename(tree / "00.PNG")
    bucket.put(name, pack(tree, name).read_bytes())
    assert fingerprint(f"{bucket.address}/{name}") != digest


def test_of_a_list_all_that_it_names_counts(fingerprint, bucket, tree, pack, tmp_path):
    bucket.put("a.jpg", b"one")
    archive = pack(tree / "sub", "a.zip")
    listing = tmp_path / "list"
    listing.write_text(f"tree/0.PNG\n{bucket.address}/a.jpg\n{archive}\n{tree}/gone.jpg\n")
    digests = [fingerprint(f"@{listing}")]
    listing.write_text("\n".join(reversed(listing.read_text().splitlines())))
    (tree / "3.jpg").unlink()  # not listed
    assert fingerprint(f"@{listing}") == digests[0]
    for change in (
        lambda: bucket.put("a.jpg", b"ONE"),
        lambda: (tree / "0.PNG").write_bytes(b"changed"),
        lambda: pack(tree, "a.zip"),
        lambda: (tree / "gone.jpg").write_bytes(b"back"),
    ):
        change()
        digests.append(fingerprint(f"@{listing}"))
    assert len(set(digests)) == 5


def test_two_runs_may_save_at_the_same_time(cache):
    file = cache / "same.json"
    kinds = [{f"{kind}": ["stamp", "0" * 64]} for kind in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(lambda index: module._save(file, kinds[index % 4]), range(200)):
            pass
    assert module._load(file) in [{}, *kinds]
    assert [path.name for path in cache.iterdir()] == ["same.json"]
