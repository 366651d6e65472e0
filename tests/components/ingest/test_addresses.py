import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.ingest.addresses import (
    addresses,
    all_addresses,
    check_scheme,
    is_manifest,
    is_pattern,
    listed_in,
    local_paths,
    make_absolute,
)
from components.shared.buckets import is_remote
from components.shared.errors import UsageError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    return tmp_path


def test_one_source_a_line():
    assert addresses("a\n\n  \nb c\r\n@list\n s3://b/p*\n") == ["a", "b c", "@list", " s3://b/p*"]
    assert addresses("") == []
    odd = "a\u2028b\x0bc\x85d"  # ends of lines to Python's splitlines, not to a file system
    assert addresses(odd) == [odd]


def test_kinds_are_told_apart(here):
    (here / "set [1]*").mkdir()
    assert [is_remote(one) for one in ("gs://b/f", "http://x", "a/b", "@list")] == [1, 1, 0, 0]
    assert [is_manifest(one) for one in ("@list", "./@list", "a@b")] == [1, 0, 0]
    patterns = ("*.jpg", "a/?.png", "[ab]", "a/b", "set [1]*", "set [1]*/x", "*" * 300)
    assert [is_pattern(one) for one in patterns] == [1, 1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("faces", "{here}/faces"),
        ("./faces/", "{here}/faces"),
        ("@list.txt", "@{here}/list.txt"),
        ("./@list.txt", "{here}/@list.txt"),
        ("~/faces", "/home/me/faces"),
        ("@~/list", "@/home/me/list"),
        ("~nobody-here/x", "{here}/~nobody-here/x"),
        ("a/**/*.jpg", "{here}/a/**/*.jpg"),
        ("/data\ngs://b//x/../y\nb", "/data\ngs://b//x/../y\n{here}/b"),
    ],
)
def test_local_ones_become_absolute_and_remote_ones_stay(here, given, made):
    assert make_absolute(given) == made.format(here=here)
    assert make_absolute(make_absolute(given)) == make_absolute(given)


@pytest.mark.parametrize("address", ["gs://b", "gs://b/a*/x", "s3://b/"])
def test_buckets_are_taken(address):
    check_scheme(address)


@pytest.mark.parametrize("address", ["http://x/y", "gs:///x", "s3://", "hdfs://a/b", "@gs://b/x"])
def test_other_schemes_are_refused_by_name(address):
    with pytest.raises(UsageError, match=f"--images {address}: .*pass gs://bucket"):
        check_scheme(address)


def test_a_manifest_lists_from_its_own_folder(here):
    (here / "sub").mkdir()
    manifest = here / "sub" / "list.txt"
    manifest.write_bytes(b"a b.jpg\r\n\n../c\n/d/e.png\ns3://b/f.png\n@g\n\xff.jpg")
    assert listed_in(manifest.relative_to(here)) == [
        f"{here}/sub/a b.jpg", f"{here}/c", "/d/e.png", "s3://b/f.png", f"{here}/sub/@g",
        f"{here}/sub/" + os.fsdecode(b"\xff.jpg"),
    ]  # fmt: skip
    assert list(all_addresses(f"/x\n@{manifest}\ngs://b")) == [
        "/x", f"@{manifest}", *listed_in(manifest), "gs://b"
    ]  # fmt: skip


def test_what_must_be_seen_to_read_the_sources(here):
    for folder in ("faces/deep", "set [1]", "apart", "listed/deep", "whole"):
        (here / folder).mkdir(parents=True)
    for file in ("more.zip", "apart/1.jpg", "apart/2.jpg", "listed/deep/3.jpg"):
        (here / file).touch()
    manifest = here / "list"
    lines = ("apart/1.jpg", "listed/deep/3.jpg", "whole", "whole/*.jpg", "gone/4.jpg", "gs://b/5")
    manifest.write_text("\n".join(lines))

    def seen(*images):
        return [
            str(path.relative_to(here)) for path in local_paths(make_absolute("\n".join(images)))
        ]

    assert seen("faces/deep", "faces") == ["faces"]
    assert seen("more.zip", "s3://b/x", "gone") == ["more.zip"]
    assert seen("faces/d*p/**/*.jpg", "set [1]") == ["faces", "set [1]"]
    assert seen("@list") == ["apart", "list", "listed/deep", "whole"]
    assert local_paths("/etc/host[s]\n/*") == [Path("/")]


def test_a_file_at_the_root_is_seen_by_itself(here):
    (here / "list").write_text("/etc\n/no-such-file.jpg\n")
    assert [str(path) for path in local_paths(f"@{here}/list")] == ["/etc", f"{here}/list"]


def test_it_imports_the_standard_library_alone():
    code = (
        "import sys; before = {*sys.modules}; import components.ingest.addresses\n"
        "roots = {name.split('.')[0] for name in {*sys.modules} - before}\n"
        "print(roots - {*sys.stdlib_module_names})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "{'components'}\n"
