import os
import subprocess
import sys

import pytest

from components.ingest.reasons import Reason
from components.ingest.sources import open_source
from components.shared.errors import DataRefused, UsageError
from tests.components.ingest.reading import contents_of, paths_in

CONTENTS = {
    "1.jpg": b"1",
    "deep/er/2.PNG": b"two",
    "a [1]*.gif": b"3",
    "é &#?%20.bmp": b"4",
    "no_extension": b"5",
}


@pytest.fixture
def faces(bucket):
    """The bucket with pictures under `faces`, others beside it, and what is none."""
    for key, content in CONTENTS.items():
        bucket.put(f"faces/{key}", content)
    bucket.put("faces/ATTRIBUTION.txt", b"made here")
    bucket.put("faces/.hidden/7.jpg", b"7")
    bucket.put("faces/folder/", b"")  # as a console makes a folder
    bucket.put("faces-2/8.jpg", b"8")
    return bucket


@pytest.mark.parametrize("end", ["", "/"])
def test_a_prefix_is_read_like_a_folder(faces, end):
    assert contents_of(f"{faces.address}/faces{end}") == CONTENTS
    with open_source(f"{faces.address}/faces{end}") as source:
        listing = source.list()
    assert [entry.path for entry in listing.other] == [".hidden/7.jpg", "ATTRIBUTION.txt"]
    assert {entry.path: entry.size for entry in listing.pictures} == {
        key: len(content) for key, content in CONTENTS.items()
    }


def test_a_whole_bucket_is_a_source(faces):
    assert len(paths_in(faces.address)) == 6
    assert "faces-2/8.jpg" in paths_in(f"{faces.address}/")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("faces/*.jpg", ["1.jpg"]),
        ("faces*/*.jpg", ["faces-2/8.jpg", "faces/1.jpg"]),
        ("faces/**/[0-9].*", ["1.jpg", "deep/er/2.PNG"]),
        ("faces/a [[]1[]][*].gif", ["a [1]*.gif"]),
        ("faces/?.jpg", ["1.jpg"]),
        ("faces/*.webp", []),
    ],
)
def test_a_pattern_chooses_objects(faces, pattern, expected):
    assert paths_in(f"{faces.address}/{pattern}") == expected


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_an_archive_in_a_bucket_is_read_like_its_folder(bucket, tree, pack, name):
    for key in (name, "as/downloaded", "star*[1]/a.bin"):
        bucket.put(key, pack(tree, name).read_bytes())
        assert contents_of(f"{bucket.address}/{key}") == contents_of(tree)


def test_a_pattern_may_choose_archives(bucket, tree, pack):
    for key in ("1.zip", "2.zip"):
        bucket.put(f"shards/{key}", pack(tree, "a.zip").read_bytes())
    expected = [f"{name}.zip/{path}" for name in (1, 2) for path in paths_in(tree)]
    assert paths_in(f"{bucket.address}/shards/*.zip") == expected
    with pytest.raises(UsageError, match=r"nothing fits the pattern '.*\*\.tar': pass "):
        paths_in(f"{bucket.address}/shards/*.tar")


def test_a_list_names_objects_and_files(faces, tmp_path):
    (tmp_path / "here.jpg").write_bytes(b"here")
    (tmp_path / "list.txt").write_text(
        f"{faces.address}/faces/1.jpg\nhere.jpg\n{faces.address}/faces/a [1]*.gif\n"
    )
    contents = contents_of(f"@{tmp_path / 'list.txt'}")
    name = faces.address.partition("://")[2]
    assert contents == {
        f"{tmp_path.name}/here.jpg": b"here",
        f"{name}/faces/1.jpg": b"1",
        f"{name}/faces/a [1]*.gif": b"3",
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["faces/deep/"], ["faces/deep/er/2.PNG"]),
        (["faces/deep"], ["faces/deep/er/2.PNG"]),
        (["faces/", "faces-2/"], ["faces-2/8.jpg", *(f"faces/{key}" for key in CONTENTS)]),
        ([""], ["faces-2/8.jpg", *(f"faces/{key}" for key in CONTENTS)]),
        (["faces/deep/", "faces/deep/er/2.PNG"], ["faces/deep/er/2.PNG"]),
        (["faces/.hidden/"], ["faces/.hidden/7.jpg"]),
    ],
)
def test_a_line_that_names_a_folder_means_what_lies_below(faces, tmp_path, lines, expected):
    lines = [f"{faces.address}/{line}" for line in lines]
    (tmp_path / "list").write_text("\n".join(lines))
    assert paths_in(f"@{tmp_path}/list") == sorted(expected)
    with open_source(f"@{tmp_path}/list") as source:
        assert not [each for each in source.list().other if each.reason is Reason.MISSING]
    with (tmp_path / "list").open("a") as file:
        file.write(f"\n{faces.address}/dgos/\n")
    with open_source(f"@{tmp_path}/list") as source:
        (missing,) = (each for each in source.list().other if each.reason is Reason.MISSING)
    said = f"nothing at '{faces.address}/dgos/' (line {len(lines) + 1} of list)"
    assert missing[:4] == ("dgos", 0, Reason.MISSING, said)


@pytest.mark.parametrize("end", ["", "/"])
def test_a_line_of_a_bucket_with_nothing_in_it_is_refused(bucket, tmp_path, end):
    (tmp_path / "1.jpg").touch()
    (tmp_path / "list").write_text(f"1.jpg\n{bucket.address}{end}\n")
    with pytest.raises(UsageError, match=f"^there is nothing at '{bucket.address}': check the"):
        paths_in(f"@{tmp_path}/list")


def test_an_archive_with_a_slash_behind_it_is_that_archive(bucket, tree, pack):
    bucket.put("a.zip", pack(tree, "a.zip").read_bytes())
    assert len(paths_in(f"{bucket.address}/a.zip/")) == 40


def test_an_object_that_is_gone_since_the_listing_is_missing(faces):
    with open_source(f"{faces.address}/faces") as source:
        pictures = source.list().pictures
        faces.remove("faces/1.jpg")
        contents = dict(zip((e.path for e in pictures), source.read(pictures), strict=True))
    assert contents.pop("1.jpg").reason == Reason.MISSING
    assert contents == {key: content for key, content in CONTENTS.items() if key != "1.jpg"}


def test_a_prefix_with_nothing_below_is_refused_as_a_missing_folder_is(faces):
    address = f"{faces.address}/dgos"
    for sources in ([address], [f"{faces.address}/faces", address], [f"{address}/*.jpg"]):
        with pytest.raises(UsageError, match=f"^there is nothing at '{address}': check the"):
            paths_in(*sources)


def test_a_missing_bucket_is_named(bucket):
    address = f"{bucket.address}-missing/faces"
    with pytest.raises(UsageError, match=f"'{address}' cannot be listed .*: check the address"):
        paths_in(address)


def test_an_object_that_is_no_archive_is_refused(faces):
    address = f"{faces.address}/faces/1.jpg"
    with pytest.raises(UsageError, match=f"'{address}' is neither a folder nor a whole archive"):
        paths_in(address)


def test_a_damaged_archive_is_refused(bucket, tree, pack):
    content = pack(tree, "a.zip").read_bytes()
    bucket.put("a.zip", content[: len(content) // 2])
    with pytest.raises(DataRefused, match=r"/a\.zip' is damaged"):
        paths_in(f"{bucket.address}/a.zip")


def test_a_server_that_fails_is_not_the_fault_of_one_object(faces, monkeypatch):
    from components.ingest.buckets import Bucket
    from components.shared.errors import PipelineError

    with open_source(f"{faces.address}/faces") as source:
        pictures = source.list().pictures

        def fail(address):
            raise OSError("the connection broke")

        assert isinstance(source, Bucket)
        monkeypatch.setattr(source._bucket, "cat_file", fail)
        with pytest.raises(PipelineError, match=r"/faces/1\.jpg' cannot be read .*broke"):
            list(source.read(pictures))


def test_a_server_that_does_not_answer_is_a_clear_error():
    code = (
        "import sys; from components.ingest.sources import open_source\n"
        "from components.shared.errors import UsageError\n"
        "try: open_source(sys.argv[1]).list()\n"
        "except UsageError as error: print(error)\n"
    )
    environment = {
        **os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }  # fmt: skip
    command = [sys.executable, "-W", "ignore", "-c", code, "s3://nowhere/x"]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert run.stdout.startswith("'s3://nowhere/x' cannot be listed (")
    assert "127.0.0.1:9" in run.stdout


@pytest.mark.parametrize("address", ["http://host/faces", "s3://", "gs:///x", "ftp://b/x"])
def test_other_addresses_are_refused(address):
    with pytest.raises(UsageError, match=r"pass gs://bucket/… or s3://bucket/…"):
        open_source(address)
