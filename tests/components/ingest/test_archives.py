"""What keeps an archive, or a member of it, from being read, and how that is told."""

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from components.ingest.reasons import Reason, Rejected
from components.ingest.sources import open_source
from components.shared.errors import DataRefused, UsageError
from tests.components.ingest.reading import contents_of, paths_in


def spoiled(archive: Path, flag: int = 0, method: int | None = None) -> bytes:
    """A zip whose members all have a flag, or another compression, in both their headers."""
    content = bytearray(archive.read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        start = -1
        while (start := content.find(mark, start + 1)) >= 0:
            content[start + at] |= flag
            if method is not None:
                content[start + at + 2] = method
    return bytes(content)


@pytest.mark.parametrize(
    ("spoil", "reason", "detail"),
    [
        ({"flag": 1}, "encrypted; among", "pack it anew without a password, or raise"),
        ({"method": 9}, "unknown compression", "(compression 9 (Deflate64): repack it)"),
        ({"method": 77}, "unknown compression", "(compression 77: repack it)"),
    ],
)
def test_what_keeps_members_from_being_read_is_told(tree, pack, run, bucket, spoil, reason, detail):
    archive = pack(tree, "a.zip")
    archive.write_bytes(spoiled(archive, **spoil))
    bucket.put("a.zip", archive.read_bytes())
    for source in (archive, f"{bucket.address}/a.zip"):
        with pytest.raises(DataRefused) as caught:
            run(source)
        message = str(caught.value)
        assert f"40 {reason}" in message
        assert detail in message
        assert "mend" not in message
        assert "unreadable" not in message


def test_an_archive_inside_is_named(tree, tmp_path, pack, run, caplog):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.zip").write_bytes(pack(tree, "a.zip").read_bytes())
    (inside / "b.tar.gz").write_bytes(b"")
    for source, advice in (
        (inside, "name it"),
        (pack(inside, "outer.zip"), "unpack it, and name it"),
        (pack(inside, "outer.tar"), "unpack it, and name it"),
    ):
        with pytest.raises(DataRefused) as caught:
            run(source)
        assert (
            f"no pictures in '{source}' (2 other files; 'a.zip' (it is not opened: {advice} as a "
            "source of its own); 'b.tar.gz' (it is"
        ) in str(caught.value)
    (tree / "a.zip").write_bytes(b"")
    run(tree)
    warning = "'a.zip' is left out: it is not opened: name it as a source of its own"
    assert warning in [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("comment", [b"", b"the last of three"])
@pytest.mark.parametrize("scheme", ["", "s3", "gs"])
def test_one_part_of_several_is_named(tree, pack, make_bucket, scheme, comment):
    archive = pack(tree, "a.zip")
    content = bytearray(archive.read_bytes())
    end = content.rindex(b"PK\5\6")
    struct.pack_into("<H", content, end + 4, 2)  # two files come before this one
    struct.pack_into("<H", content, end + 20, len(comment))
    archive.write_bytes(content + comment)
    source = str(archive)
    if scheme:
        bucket = make_bucket(scheme)
        bucket.put("a.zip", archive.read_bytes())
        source = f"{bucket.address}/a.zip"
    with pytest.raises(UsageError, match=r"a\.zip' is one part of several: join them first, as "):
        open_source(source)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_archives_in_a_row_are_all_read(tree, tmp_path, pack, suffix):
    more = tmp_path / "more"
    more.mkdir()
    (more / "z.png").write_bytes((tree / "0.PNG").read_bytes())
    first, second = (pack(root, f"{root.name}.{suffix}").read_bytes() for root in (tree, more))
    joined = tmp_path / f"joined.{suffix}"
    joined.write_bytes(first + second)
    with open_source(str(joined)) as source:
        assert len(source.list().pictures) == 41
    joined.write_bytes(first + b"\0" * 1024 if suffix == "tar.gz" else first + b"of a tape" * 200)
    with open_source(str(joined)) as source:
        assert len(source.list().pictures) == 40


def test_zips_in_a_row_are_refused_and_a_program_before_one_is_not(tree, tmp_path, pack):
    one = pack(tree, "one.zip").read_bytes()
    (tmp_path / "joined.zip").write_bytes(one + one)
    with pytest.raises(UsageError, match=r"joined.zip' is several archives in a row: pass each"):
        open_source(f"{tmp_path}/joined.zip")
    (tmp_path / "program.zip").write_bytes(b"#!/bin/sh\nexit\n" + one)
    with open_source(f"{tmp_path}/program.zip") as source:
        assert len(source.list().pictures) == 40


def test_a_header_of_zeros_in_the_midst_of_a_tar_is_damage(tree, tmp_path, pack):
    content = bytearray(pack(tree, "one.tar").read_bytes())
    with tarfile.open(tmp_path / "one.tar") as archive:
        infos = [info for info in archive if info.isreg()]
    start, end = infos[20].offset, infos[20].offset_data
    content[start:end] = bytes(end - start)
    (tmp_path / "one.tar").write_bytes(content)
    with (
        pytest.raises(DataRefused, match="no header at byte"),
        open_source(f"{tmp_path}/one.tar") as source,
    ):
        source.list()


def test_other_archives_are_named(tree, run, caplog):
    for name in ("a.rar", "b.7z"):
        (tree / name).touch()
    run(tree)
    assert "'a.rar' is left out: it is not read: unpack it, or pack it as .zip" in caplog.text
    assert "'b.7z' is left out" in caplog.text


def test_twins_that_macos_adds_to_a_zip_are_no_pictures(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("1.jpg", b"")
        file.writestr("__MACOSX/._1.jpg", b"")
    assert paths_in(tmp_path / "a.zip") == ["1.jpg"]


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
    assert sorted(contents_of(pack(root, "b.tar"))) == ["a/1.jpg", "a/hard.jpg", "soft.jpg"]


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
    monkeypatch.setattr("components.ingest.source.MAX_FILE_BYTES", 1000)
    huge, large = contents_of(tmp_path / "a.zip").values()
    assert huge.reason == Reason.TOO_LARGE
    assert large == bytes(1000)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz"])
def test_an_archive_that_ends_early_is_refused(tree, pack, name):
    archive = pack(tree, name)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(DataRefused, match=rf"{name}' is damaged .*: fetch it again") as caught:
        paths_in(archive)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("mode", ["", "gz", "xz"])
@pytest.mark.parametrize("damage", ["garbled", "cut"])
def test_a_tar_with_a_damaged_header_in_its_midst_is_refused(tmp_path, mode, damage):
    """Python's tarfile takes that for the archive's end, and what follows would be lost."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as file:
        for name in "123":
            file.addfile(tarfile.TarInfo(f"{name}.jpg"))
    content = bytearray(packed.getvalue())
    if damage == "garbled":
        content[512 + 100] ^= 255  # in the second header
    else:
        del content[512 + 100 :]
    pack = {"": bytes, "gz": gzip.compress, "xz": lzma.compress}[mode]
    archive = tmp_path / f"a.tar.{mode}"
    archive.write_bytes(pack(content))
    with pytest.raises(DataRefused, match=r"is damaged \(.* at byte 512\): fetch it again"):
        paths_in(archive)


def test_a_bzip2_of_half_a_block_cannot_be_told_from_any_other_file(tree, pack):
    archive = pack(tree, "a.tar.bz2")
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(UsageError, match=r"neither a folder nor a whole archive"):
        paths_in(archive)
