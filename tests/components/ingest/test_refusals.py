import errno
from pathlib import Path

import pytest

from components.ingest import beam_pipeline, shard
from components.ingest.shard import shard_of
from components.shared.contracts import MANIFEST
from components.shared.errors import DataRefused, UsageError
from components.shared.files import digest_of_file, read_json


def refusal(run, tmp_path, source, kind=DataRefused, **changes) -> str:
    with pytest.raises(kind) as caught:
        run(source, **changes)
    left = [path for path in tmp_path.iterdir() if "records" in path.name]
    assert not left, "something was left behind"
    assert caught.value.exit_code == {DataRefused: 3, UsageError: 2}[kind]
    message = str(caught.value)
    assert "while running" not in message
    return message


def test_a_missing_source_is_refused(run, tmp_path):
    message = refusal(run, tmp_path, "no/such", UsageError)
    assert message.startswith("there is nothing at 'no/such': pass a folder, a .zip or a .tar")


def test_a_source_without_pictures_is_refused(run, tmp_path):
    source = tmp_path / "texts"
    source.mkdir()
    (source / "1.txt").touch()
    message = refusal(run, tmp_path, source)
    assert str(source) in message
    assert ".jpg, .jpeg, .jpe, .jfif, .png, .apng, .gif, .bmp, .webp, .tif, .tiff" in message


def test_files_that_nobody_called_pictures_are_no_broken_ones(tree, run, pack, bucket):
    for number, content in enumerate((b"", b"BMW\n", b"\xff\xd8\xff", b"GIF89a")):
        (tree / f"FILE{number}").write_bytes(content)
    for path in tree.rglob("*"):
        if path.is_file():
            bucket.put(f"tree/{path.relative_to(tree)}", path.read_bytes())
    archives = [pack(tree, name) for name in ("a.zip", "a.tar")]
    (tree / "LOST").symlink_to("nowhere")
    for number, source in enumerate((tree, *archives, f"{bucket.address}/tree")):
        records = run(source, name=f"records {number}", max_reject_share=0)
        assert set(read_json(records / MANIFEST)["rejected_by_reason"]) == {"other file"}


def test_a_source_of_names_without_an_extension_tells_what_is_wrong(run, tmp_path, picture):
    source = tmp_path / "keys"
    source.mkdir()
    for number in range(3):
        picture(number, 5, 5).save(source / str(number), "PNG")
    message = refusal(run, tmp_path, source)
    assert message.startswith(f"no pictures in '{source}' (3 other files; 3 too small): pass ")


UNREAD = {
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
    "JPEG XL": b"\0\0\0\x0cJXL \r\n\x87\n",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "PSD": b"8BPS\0\1",
}


def test_formats_that_are_not_read_are_known_by_content_too(tree, run, caplog):
    """Phones and browsers call them .jpg, and buckets nothing."""
    for number, content in enumerate(UNREAD.values()):
        for name in (f"named{number}.jpg", f"bare{number}"):
            (tree / name).write_bytes(content + bytes(40))
    (tree / "z.psd").touch()
    records = run(tree, max_reject_share=0)
    assert read_json(records / MANIFEST)["rejected_by_reason"]["format that is not read"] == 11
    assert (
        "11 files are left out, for their format is not read (2 AVIF, 2 HEIC, 2 JPEG 2000, 2 JPEG "
        "XL, 2 PSD, 1 .psd): convert them"
    ) in caplog.text
    for path in tree.rglob("*.[Pj][Np][Gg]"):
        if not path.name.startswith("named"):
            path.unlink()
    with pytest.raises(DataRefused, match=r"no pictures in .*'bare0' \(HEIC: convert it to JPEG"):
        run(tree, name="none")


def test_pictures_in_formats_that_are_not_read_are_told(tree, run, pack, bucket, tmp_path, caplog):
    """As phones and browsers save them: they are no broken ones, and are told as others are not."""
    for name in ("1.heic", "sub/2.HEIC", "3.avif"):
        (tree / name).write_bytes(b"x")
        bucket.put(f"only/{name}", b"x")
    only = tmp_path / "only"
    only.mkdir()
    (only / "1.heic").touch()
    for number, source in enumerate((tree, pack(tree, "a.zip"), pack(tree, "a.tar.gz"))):
        caplog.clear()
        records = run(source, name=f"records {number}", max_reject_share=0)
        assert read_json(records / MANIFEST)["rejected_by_reason"]["format that is not read"] == 3
        assert [each.getMessage() for each in caplog.records if each.levelname == "WARNING"] == [
            "3 files are left out, for their format is not read (2 .heic, 1 .avif): convert them "
            "to JPEG or PNG"
        ]
    for source in (only, f"{bucket.address}/only"):
        with pytest.raises(DataRefused, match=r"'1.heic' \(its format is not read: convert it to "):
            run(source)


def test_what_names_alone_tell_is_refused_before_any_picture_is_read(tree, run, monkeypatch):
    (tree / "list").write_text("".join(f"{path}\n" for path in [*tree.rglob("*.jpg"), "gone.jpg"]))
    monkeypatch.setattr(beam_pipeline, "see", None)
    with pytest.raises(DataRefused, match=r"1 of \d+ pictures in .* are broken, .*: 1 missing; "):
        run(f"@{tree}/list", max_reject_share=0)


def test_too_many_broken_files_are_refused(broken, run, tmp_path):
    message = refusal(run, tmp_path, broken, max_reject_share=0.1)
    assert message == (
        f"8 of 48 pictures in '{broken}' are broken, 16.67%, and ingest.max_reject_share allows "
        "10.00%: 2 empty, 2 truncated, 1 missing, 1 not a picture, 1 too small, 1 unreadable; "
        "among them 'b\\xe9\u2028.bmp', 'damaged.png', 'empty.png'; mend or remove them, bring "
        "them back, or mend the list or the links that name them, or raise ingest.max_reject_share"
    )


def test_the_reject_limit_itself_is_allowed(broken, run):
    run(broken, max_reject_share=8 / 48)


@pytest.mark.parametrize(("empty", "change"), [("train", "lower"), ("eval", "raise")])
def test_an_empty_split_is_refused(run, config, tmp_path, picture, empty, change):
    source = tmp_path / "few"
    source.mkdir()
    kept = 0
    for seed in range(60):
        path = source / f"{seed}.png"
        picture(seed).save(path)
        name = shard_of(bytes.fromhex(digest_of_file(path)), config)
        if name.startswith(empty):
            path.unlink()
        else:
            kept += 1
    message = refusal(run, tmp_path, source)
    assert message.startswith(
        f"none of the {kept} usable pictures in '{source}' fell to the {empty}"
    )
    assert message.endswith(f"add pictures, or {change} ingest.eval_share")


def test_a_damaged_archive_is_refused(tree, pack, run, tmp_path):
    archive = pack(tree, "a.tar")
    archive.write_bytes(archive.read_bytes()[:-30000])
    assert f"'{archive}' is damaged" in refusal(run, tmp_path, archive)


def test_a_full_disk_arrives_as_such(tree, run, tmp_path, monkeypatch):
    def write_to_a_full_disk(path, records):
        with Path("/dev/full").open("wb") as file:
            file.write(b"".join(record.image for record in records))

    monkeypatch.setattr(shard, "write_shard", write_to_a_full_disk)
    with pytest.raises(OSError, match="No space left") as caught:
        run(tree)
    assert caught.value.errno == errno.ENOSPC
    assert not [path for path in tmp_path.iterdir() if "records" in path.name]
