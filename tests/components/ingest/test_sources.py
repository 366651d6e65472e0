import os
import tarfile
import zipfile

import pytest

from components.ingest.reasons import Reason, Rejected
from components.ingest.sources import open_source
from components.shared.errors import DataRefused, UsageError


def paths_in(source) -> list[str]:
    with open_source(str(source)) as opened:
        return [entry.path for entry in opened.list().pictures]


def contents_of(source) -> dict[str, bytes]:
    with open_source(str(source)) as opened:
        pictures = opened.list().pictures
        return {
            entry.path: content
            for entry, content in zip(pictures, opened.read(pictures), strict=True)
        }


ARCHIVES = ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.bz2", "a.tar.xz"]


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_lists_and_reads_like_the_folder_it_was_made_from(tree, pack, name):
    archive = pack(tree, name)
    expected = {
        str(path.relative_to(tree)): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file() and path.suffix != ".txt"
    }
    assert contents_of(archive) == contents_of(tree) == expected
    with open_source(str(archive)) as opened:
        assert len(opened.list().other) == 1
        assert {entry.path: entry.size for entry in opened.list().pictures} == {
            path: len(content) for path, content in expected.items()
        }


def test_an_archive_is_known_by_its_content(tree, pack):
    archive = pack(tree, "a.tar.gz")
    assert paths_in(archive.rename(archive.with_name("download"))) == paths_in(tree)


def test_paths_are_sorted_and_relative(tmp_path):
    for name in ("b.jpg", "a/z.jpg", "a/deep/er/y.jpg", "a.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert paths_in(tmp_path) == ["a.jpg", "a/deep/er/y.jpg", "a/z.jpg", "b.jpg"]


@pytest.mark.parametrize("name", ["folder", "a.zip", "a.tar"])
def test_names_with_special_characters(tmp_path, pack, name):
    root = tmp_path / "folder"
    root.mkdir()
    names = [
        "a [1].jpg",
        "*.png",
        "q?.GIF",
        "back\\slash.webp",
        "né e.JPEG",
        "x{1,2}.bmp",
        "顔.jpe",
    ]
    for each in names:
        (root / each).write_text(each)
    source = root if name == "folder" else pack(root, name)
    assert contents_of(source) == {each: each.encode() for each in sorted(names)}


@pytest.mark.parametrize("name", ["folder", "a.tar"])
def test_a_name_that_is_not_utf_8_is_shown_escaped_and_read(tmp_path, pack, name):
    root = tmp_path / "folder"
    root.mkdir()
    (root / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"content")
    source = root if name == "folder" else pack(root, name)
    contents = contents_of(source)
    assert contents == {"caf\\xe9.jpg": b"content"}
    assert [path.encode() for path in contents]  # raises for a lone surrogate


def test_which_files_count_as_pictures(tmp_path):
    pictures = ["1.jpg", "2.JPEG", "3.jpe", "4.Png", "5.gif", "6.bmp", "7.webp", "8.tar.jpg"]
    pictures += ["9.tiff", "jpg"]  # a name without an extension says nothing
    others = ["a.txt", "a.tar.gz", "Thumbs.db", ".DS_Store", ".hidden.jpg", "c.jpg.part"]
    for name in pictures + others:
        (tmp_path / name).touch()
    for folder in (".thumbnails", "sub/.trash"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.jpg").touch()
    with open_source(str(tmp_path)) as opened:
        listing = opened.list()
    assert [entry.path for entry in listing.pictures] == pictures
    assert [entry.path for entry in listing.other] == sorted(
        [*others, ".thumbnails/1.jpg", "sub/.trash/1.jpg"]
    )


def test_a_source_inside_a_hidden_folder_is_not_hidden(tmp_path):
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache/1.jpg").touch()
    assert paths_in(tmp_path / ".cache") == ["1.jpg"]


def test_twins_that_macos_adds_to_a_zip_are_no_pictures(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("1.jpg", b"")
        file.writestr("__MACOSX/._1.jpg", b"")
    assert paths_in(tmp_path / "a.zip") == ["1.jpg"]


def test_links_are_followed_and_loops_end(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "real").mkdir(parents=True)
    outside.mkdir()
    (root / "real/1.jpg").write_bytes(b"1")
    (outside / "2.jpg").write_bytes(b"2")
    (root / "link.jpg").symlink_to("real/1.jpg")
    (root / "away").symlink_to(outside)
    (outside / "back").symlink_to(root)
    (root / "real/up").symlink_to("..")
    (root / "z-second-way-to-real").symlink_to("real")
    (root / "itself").symlink_to("itself")
    contents = contents_of(root)
    assert isinstance(contents.pop("itself"), Rejected)
    assert contents == {"away/2.jpg": b"2", "link.jpg": b"1", "real/1.jpg": b"1"}


@pytest.mark.parametrize("target", ["nowhere", "lost.jpg", "folder"])
def test_a_link_to_no_file_is_a_picture_that_cannot_be_read(tmp_path, target):
    (tmp_path / "lost.jpg").symlink_to(target)
    with open_source(str(tmp_path)) as opened:
        (entry,) = opened.list().pictures
        assert (entry.path, entry.size) == ("lost.jpg", 0)
        (content,) = opened.read([entry])
    assert content.reason == Reason.UNREADABLE


def test_pipes_are_left_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert paths_in(tmp_path) == []


def test_links_inside_a_tar(tmp_path, pack):
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a/1.jpg").write_bytes(b"1")
    (root / "a/hard.jpg").hardlink_to(root / "a/1.jpg")
    (root / "soft.jpg").symlink_to("a/1.jpg")
    assert contents_of(pack(root, "a.tar")) == dict.fromkeys(
        ["a/1.jpg", "a/hard.jpg", "soft.jpg"], b"1"
    )
    (root / "lost.jpg").symlink_to("nowhere")
    assert isinstance(contents_of(pack(root, "b.tar"))["lost.jpg"], Rejected)


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_of_two_members_with_one_path_the_later_counts(tmp_path, recwarn, name):
    archive = tmp_path / name
    for content in (b"old", b"new"):
        (tmp_path / "1.jpg").write_bytes(content)
        if name == "a.zip":
            with zipfile.ZipFile(archive, "a") as file:
                file.write(tmp_path / "1.jpg", "1.jpg")
        else:
            with tarfile.open(archive, "a") as file:
                file.add(tmp_path / "1.jpg", "1.jpg")
    assert contents_of(archive) == {"1.jpg": b"new"}


def test_a_damaged_member_is_unreadable_and_the_others_are_not(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("1.jpg", b"one" * 50)
        file.writestr("2.jpg", b"two" * 50)
    archive.write_bytes(archive.read_bytes().replace(b"oneone", b"oneOne", 1))
    with open_source(str(archive)) as opened:
        one, two = opened.read(opened.list().pictures)
    assert isinstance(one, Rejected) and one.reason == Reason.UNREADABLE
    assert two == b"two" * 50


def test_a_member_that_claims_to_be_huge_is_not_unpacked(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("1.jpg", bytes(1001))
        file.writestr("2.jpg", bytes(1000))
    monkeypatch.setattr("components.ingest.sources.MAX_FILE_BYTES", 1000)
    huge, large = contents_of(tmp_path / "a.zip").values()
    assert huge.reason == Reason.TOO_LARGE
    assert large == bytes(1000)


def test_an_encrypted_member_is_unreadable(tmp_path):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("1.jpg", b"secret")
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # the flag for "encrypted", in the member's header
    content[content.find(b"PK\x01\x02") + 8] |= 1  # and in the archive's directory
    archive.write_bytes(content)
    assert contents_of(archive)["1.jpg"].reason == Reason.UNREADABLE


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz"])
def test_an_archive_that_ends_early_is_refused(tree, pack, name):
    archive = pack(tree, name)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DataRefused, match=rf"{name}' is damaged .*: fetch it again") as caught:
        paths_in(archive)
    assert caught.value.exit_code == 3


def test_a_bzip2_of_half_a_block_cannot_be_told_from_any_other_file(tree, pack):
    archive = pack(tree, "a.tar.bz2")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(UsageError, match=r"neither a folder nor a whole archive"):
        paths_in(archive)


def test_a_failing_disk_is_not_the_fault_of_one_file(tmp_path, monkeypatch):
    (tmp_path / "1.jpg").touch()

    def fail(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr("pathlib.Path.read_bytes", fail)
    with open_source(str(tmp_path)) as opened, pytest.raises(OSError, match="Input/output"):
        list(opened.read(opened.list().pictures))


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(UsageError, match=f"'{tmp_path}/?' may not be read: permission denied"):
        paths_in(tmp_path)
