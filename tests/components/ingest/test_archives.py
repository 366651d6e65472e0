"""What keeps an archive, or a member of it, from being read, and how that is told."""

import struct
import tarfile
from pathlib import Path

import pytest

from components.ingest.sources import open_source
from components.shared.errors import DataRefused, UsageError


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
