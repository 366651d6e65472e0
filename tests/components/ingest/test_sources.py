import os
import re

import pytest

from components.ingest.reasons import Reason
from components.ingest.sources import open_source
from components.shared.errors import DataRefused, UsageError
from tests.components.ingest.reading import contents_of, paths_in

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
    assert contents == {"away/2.jpg": b"2", "link.jpg": b"1", "real/1.jpg": b"1"}


@pytest.mark.parametrize("target", ["nowhere", "lost.jpg", "folder"])
def test_a_link_to_no_file_is_a_picture_that_is_missing(tmp_path, target):
    (tmp_path / "lost.jpg").symlink_to(target)
    with open_source(str(tmp_path)) as opened:
        listing = opened.list()
    assert not listing.pictures
    assert [each[:4] for each in listing.other] == [
        ("lost.jpg", 0, Reason.MISSING, "a link that leads nowhere")
    ]


def test_pipes_are_left_alone(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert paths_in(tmp_path) == []


def test_a_failing_disk_is_not_the_fault_of_one_file(tmp_path):
    (tmp_path / "1.jpg").symlink_to("/proc/self/mem")  # reading it fails as a broken disk does
    with open_source(str(tmp_path)) as opened, pytest.raises(OSError, match="Input/output"):
        list(opened.read(opened.list().pictures))


def test_a_source_that_may_not_be_read_is_named(tmp_path, locked):
    locked(tmp_path)
    with pytest.raises(UsageError, match=f"'{tmp_path}' may not be read: permission denied"):
        paths_in(tmp_path)


@pytest.mark.parametrize(
    ("locked", "name"),
    [("private", "folder"), ("private", "a.zip"), ("private/a.zip", "a.zip"),
     ("private/a.tar", "a.tar")],
)  # fmt: skip
def test_a_source_behind_what_may_not_be_read_is_named(tmp_path, tree, pack, no_root, locked, name):
    (tmp_path / "private/folder").mkdir(parents=True)
    if "." in name:
        pack(tree, f"private/{name}")
    (tmp_path / locked).chmod(0)
    try:
        with pytest.raises(UsageError, match=f"/{name}' may not be read: permission denied"):
            paths_in(tmp_path / "private" / name)
    finally:
        (tmp_path / locked).chmod(0o700)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["1.jpg", "[x].jpg"]),
        ("*/*", ["a/2.jpg", "a/3.png", "set [1]/4.jpg"]),
        ("**/*.jpg", ["1.jpg", "[x].jpg", "a/2.jpg", "a/b/5.jpg", "set [1]/4.jpg"]),
        ("[a-z]/?.jpg", ["a/2.jpg"]),
        ("set [1]/*.jpg", ["4.jpg"]),  # relative to what exists under this very name
        ("a/../a/b/*", ["5.jpg"]),
        ("*.webp", []),
    ],
)
def test_a_pattern_chooses_files(tmp_path, pattern, expected):
    for name in ("1.jpg", "[x].jpg", "a/2.jpg", "a/3.png", "a/b/5.jpg", "set [1]/4.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert paths_in(f"{tmp_path}/{pattern}") == expected


def test_what_exists_under_the_name_of_a_pattern_is_meant(tmp_path):
    (tmp_path / "a*").mkdir()
    (tmp_path / "ab").mkdir()
    (tmp_path / "a*/1.jpg").touch()
    (tmp_path / "ab/2.jpg").touch()
    assert paths_in(tmp_path / "a*") == ["1.jpg"]


def test_a_pattern_ends_where_links_loop(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.jpg").touch()
    (tmp_path / "a/up").symlink_to("..")
    assert paths_in(f"{tmp_path}/**/*.jpg") == ["a/1.jpg"]


def test_a_pattern_may_choose_archives(tmp_path, tree, pack):
    for name in ("1.zip", "2.tar.gz"):
        pack(tree, name)
    inside = paths_in(tree)
    assert paths_in(f"{tmp_path}/*.zip") == inside
    pack(tree, "3.zip")
    expected = [f"{name}.zip/{path}" for name in (1, 3) for path in inside]
    assert paths_in(f"{tmp_path}/*.zip") == expected


@pytest.mark.parametrize("pattern", ["a**b/*.jpg", "*/x**"])
def test_a_pattern_that_means_nothing_is_refused(tmp_path, pattern):
    with pytest.raises(UsageError, match=r"is no pattern: .*\*\*"):
        paths_in(f"{tmp_path}/{pattern}")


@pytest.mark.parametrize("source", ["none", "none/*.jpg", "*.zip", "@none.txt"])
def test_what_is_not_there_is_named(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=re.escape(source)):
        paths_in(source)


def test_a_list_names_pictures(tmp_path, tree, pack):
    other = tmp_path / "other [1]"
    other.mkdir()
    names = ["a.jpg", "*.png", "b c.gif", os.fsdecode(b"\xe9.bmp")]
    for name in names:
        (other / name).write_bytes(os.fsencode(name))
    archive = pack(tree, "a.zip")
    lines = [f"other [1]/{name}" for name in names]
    lines += [f"{tree}/sub/1.jpg", lines[0], "", "tree/sub/../0.PNG"]
    text = os.fsencode("\r\n".join(lines))
    (tmp_path / "list.txt").write_bytes(text)
    contents = contents_of(f"@{tmp_path / 'list.txt'}")
    pictures = {
        path: (tree.parent / path).read_bytes() for path in ("tree/sub/1.jpg", "tree/0.PNG")
    }
    named = {f"other [1]/{name}": os.fsencode(name) for name in names[:3]}
    assert contents == {**named, "other [1]/\\xe9.bmp": b"\xe9.bmp", **pictures}
    (tmp_path / "list.txt").write_bytes(text + f"\n{archive}\n".encode())
    assert len(paths_in(f"@{tmp_path / 'list.txt'}")) == len(contents) + 40


def test_a_folder_in_a_list_is_read_whole(tmp_path, tree):
    (tmp_path / "list").write_text("tree/sub\ntree/0.PNG\ntree/sub/1.jpg\n")
    inside = [f"sub/{path}" for path in paths_in(tree / "sub")]
    assert paths_in(f"@{tmp_path / 'list'}") == ["0.PNG", *inside]


def test_several_sources_are_one(tmp_path, tree, pack):
    inside = paths_in(tree)
    archive = pack(tree, "a.tgz")
    assert paths_in(tree, archive) == [f"{name}/{p}" for name in ("a.tgz", "tree") for p in inside]
    contents = contents_of(tree, archive)
    assert contents == {
        f"{name}/{path}": content
        for name in ("a.tgz", "tree")
        for path, content in contents_of(tree).items()
    }


def test_sources_of_one_name_are_numbered(tmp_path):
    for name in ("a/faces", "b/faces", "b/c"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.jpg").touch()
    assert paths_in(tmp_path / "a/faces", tmp_path / "b/faces", tmp_path / "b/c") == [
        "1-faces/1.jpg",
        "2-faces/1.jpg",
        "3-c/1.jpg",
    ]


def test_an_empty_one_of_several_is_refused(tmp_path, tree):
    (tmp_path / "empty").mkdir()
    for empty in (tmp_path / "empty", f"{tree}/*.tiff"):
        with (
            pytest.raises(DataRefused, match=f"no file in '{re.escape(str(empty))}', which is one"),
            open_source(f"{tree}\n{empty}") as source,
        ):
            source.list()


@pytest.mark.parametrize(
    "name", ["q.jpg?w=300", "p.jpg.1", "x.jpg%3Fw=3", "noending.", "IMG 2021.05.01 x", "v1.2"]
)
def test_what_is_no_extension_says_nothing(tmp_path, name):
    (tmp_path / name).touch()
    assert paths_in(tmp_path) == [name]
