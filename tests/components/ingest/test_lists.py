"""Lists of pictures as people have them, from Windows, too."""

import os
import subprocess
import sys

import pytest

from components.ingest.fingerprint import fingerprint
from components.ingest.reasons import Reason
from components.ingest.sources import open_source
from components.shared.errors import DataRefused, UsageError
from tests.components.ingest.reading import contents_of, paths_in

NAMES = ["a.jpg", "sub/é b.png", "[1] c.gif"]


@pytest.fixture
def pictures(tmp_path):
    for name in NAMES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def set_aside(source: str) -> list[tuple[str, str, str]]:
    with open_source(source) as opened:
        return [(each.path, each.reason, each.detail) for each in opened.list().other]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be with a mark"])
def test_encodings_and_line_ends_mean_nothing(pictures, encoding, end):
    text = end.join([*NAMES, ""])
    if encoding.startswith("utf-16-be"):
        content = ("\ufeff" + text).encode("utf-16-be")
    else:
        content = text.encode(encoding)
    (pictures / "list.txt").write_bytes(content)
    assert paths_in(f"@{pictures}/list.txt") == sorted(NAMES)
    assert set_aside(f"@{pictures}/list.txt") == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_such_a_list_may_name_objects(bucket, tmp_path, encoding):
    bucket.put("a/1.jpg", b"1")
    text = f"{bucket.address}/a/1.jpg\r\n{bucket.address}/a/2.jpg\r\n"
    (tmp_path / "list.txt").write_bytes(text.encode(encoding))
    with open_source(f"@{tmp_path}/list.txt") as opened:
        listing = opened.list()
    path = "a/1.jpg", "a/2.jpg"
    assert [entry.path for entry in listing.pictures] == [path[0]]
    missing = f"nothing at '{bucket.address}/a/2.jpg' (line 2 of list.txt)"
    assert [each[:4] for each in listing.other] == [(path[1], 0, Reason.MISSING, missing)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n \n",
        b"\xef\xbb\xbf",
        b"PK\3\4\0\0",
        "a.jpg\n".encode("utf-16-le"),
        b"\xff\xfe\0\xd8",
    ],
)
def test_a_list_that_is_none_is_refused(pictures, content):
    (pictures / "list").write_bytes(content)
    with pytest.raises(UsageError, match=r"/list' is no list of pictures.*: write one path a line"):
        paths_in(f"@{pictures}/list")


def test_a_home_folder_is_known_in_a_line(pictures, monkeypatch):
    monkeypatch.setenv("HOME", str(pictures))
    (pictures / "lists").mkdir()
    (pictures / "lists/list").write_text("~/a.jpg\n~/sub/é b.png\n")
    assert contents_of(f"@{pictures}/lists/list") == {"a.jpg": b"", "sub/é b.png": b""}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("gone.jpg", "nothing at 'gone.jpg' (line 3 of list)"),
        ("~/gone.jpg", "nothing at '~/gone.jpg' (line 3 of list)"),
        (
            "sub/*.jpg",
            "nothing at 'sub/*.jpg' (line 3 of list): a list holds no patterns, --images does",
        ),
        (
            "sub\\1.jpg",
            "nothing at 'sub\\1.jpg' (line 3 of list): write / between folders",
        ),
        ('"a.jpg"', "nothing at '\"a.jpg\"' (line 3 of list): write it without the quotes"),
        ("'a.jpg'", "nothing at ''a.jpg'' (line 3 of list): write it without the quotes"),
        ("a.jpg ", "nothing at 'a.jpg ' (line 3 of list): mind the blanks around it"),
        (
            "a.jpg,cat",
            "nothing at 'a.jpg,cat' (line 3 of list): a list holds paths alone, one a line",
        ),
        ("a, b.jpg", "nothing at 'a, b.jpg' (line 3 of list)"),
        ("# cats", "nothing at '# cats' (line 3 of list): a list holds no comments"),
    ],
)
def test_a_line_of_what_is_missing_is_told(pictures, monkeypatch, line, told):
    monkeypatch.setenv("HOME", str(pictures))
    (pictures / "list").write_text(f"a.jpg\n\n{line}\n{line}\nsub/é b.png\n")
    ((_, reason, detail),) = set_aside(f"@{pictures}/list")
    assert (reason, detail) == (Reason.MISSING, told)


@pytest.mark.parametrize("scheme", ["", "s3", "gs"])
def test_a_line_of_what_is_missing_is_told_whatever_its_end(pictures, make_bucket, scheme):
    top = f"{make_bucket(scheme).address}/" if scheme else ""
    names = ["dgos", "faces.v2", "faces.v2/notes.txt", ".dgos", "cats/*"]
    (pictures / "list").write_text("\n".join(["a.jpg", *(top + name for name in names)]))
    told = {detail: reason for _, reason, detail in set_aside(f"@{pictures}/list")}
    advice = {"cats/*": ": a list holds no patterns, --images does"}
    assert told == {
        f"nothing at '{top}{name}' (line {line} of list){advice.get(name, '')}": Reason.MISSING
        for line, name in enumerate(names, start=2)
    }


@pytest.mark.parametrize("scheme", ["", "s3", "gs"])
def test_a_line_that_is_no_utf_8_is_told_so_that_it_can_be_shown(pictures, make_bucket, scheme):
    top = f"{make_bucket(scheme).address}/" if scheme else ""
    lines = [b"a.jpg", *(top.encode() + name for name in (b"\xe9.jpg", b"\xe9/", b"caf\xe9.v2"))]
    (pictures / "list").write_bytes(b"\n".join(lines))
    assert sorted(each[2] for each in set_aside(f"@{pictures}/list")) == sorted(
        f"nothing at '{top}{line}' (line {number} of list): save the list as UTF-8"
        for number, line in enumerate([r"\xe9.jpg", r"\xe9/", r"caf\xe9.v2"], start=2)
    )
    (pictures / "list").write_bytes(top.encode() + b"\xe9.zip\n")
    with pytest.raises(UsageError, match=r"^there is nothing at '.*\\xe9\.zip' \(line 1 of list\)"):
        paths_in(f"@{pictures}/list")


@pytest.mark.parametrize("name", ["folder", "a.zip"])
def test_a_name_that_is_no_utf_8_is_shown_in_errors(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), b"\xe9." + name.encode())  # noqa: PTH118
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(b"PK\3\4")
    os.mkfifo(path + b".tar")
    (tmp_path / "list").write_bytes(path + b"\n")
    for source in (
        os.fsdecode(path),
        f"{tmp_path}/*.zip",
        f"{tmp_path}/*.tar",
        f"@{tmp_path}/list",
    ):
        if name == "folder" and source.startswith("@"):
            continue  # no picture, and no error
        with pytest.raises((UsageError, DataRefused)) as caught:
            paths_in(source)
        assert str(caught.value).encode()


@pytest.mark.parametrize("scheme", ["", "s3", "gs"])
def test_a_missing_archive_of_a_list_is_refused_by_its_line(pictures, make_bucket, scheme):
    name = f"{make_bucket(scheme).address}/gone.zip" if scheme else "gone.zip"
    (pictures / "list").write_text(f"a.jpg\n{name}\n")
    with pytest.raises(UsageError) as caught:
        paths_in(f"@{pictures}/list")
    assert str(caught.value).startswith(f"there is nothing at '{name}' (line 2 of list): pass ")


def test_missing_lines_are_warned_of_and_refused_by_name(tree, run, caplog):
    names = [
        str(path.relative_to(tree)) for path in tree.rglob("*") if path.suffix in (".jpg", ".PNG")
    ]
    (tree / "list").write_text("\n".join([*names, "gone.jpg", "sub/gone, too.jpg"]))
    run(f"@{tree}/list")
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [
        "'gone.jpg' is left out: nothing at 'gone.jpg' (line 41 of list)",
        "'sub/gone, too.jpg' is left out: nothing at 'sub/gone, too.jpg' (line 42 of list)",
    ]
    with pytest.raises(DataRefused) as caught:
        run(f"@{tree}/list", max_reject_share=0.01)
    assert (
        "2 missing; among them 'gone.jpg' (nothing at 'gone.jpg' (line 41 of list)), 'sub/gone, "
        "too.jpg' (nothing at 'sub/gone, too.jpg' (line 42 of list)); bring them back, or mend"
    ) in str(caught.value)


@pytest.mark.parametrize("name", ["pipe", "pipe.jpg", "link.jpg", "/dev/zero"])
def test_a_line_of_a_pipe_or_a_device_is_told_and_not_read(pictures, name):
    for pipe in ("pipe", "pipe.jpg"):
        os.mkfifo(pictures / pipe)
    (pictures / "link.jpg").symlink_to("pipe")
    (pictures / "list").write_text(f"{pictures}/a.jpg\n{name}\n")
    ((_, reason, detail),) = set_aside(f"@{pictures}/list")
    said = f"no file but a pipe or a device at '{name}' (line 2 of list)"
    assert (reason, detail) == (Reason.MISSING, said)
    assert fingerprint(f"@{pictures}/list", pictures / "cache")  # which would never end


@pytest.mark.parametrize("mark", ["@", ""])
def test_a_pipe_is_refused_at_once(tmp_path, mark):
    os.mkfifo(tmp_path / "pipe")
    code = (
        "import sys; from components.ingest.sources import open_source\n"
        "from components.shared.errors import UsageError\n"
        "try: open_source(sys.argv[1])\n"
        "except UsageError as error: print(error)\n"
    )
    source = f"{mark}{tmp_path}/pipe"
    command = [sys.executable, "-c", code, source]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == (
        f"'{source}' is no file but a pipe or a device, and it is read more than once: write what "
        "comes out of it to a file and pass that\n"
    )


def test_names_of_sources_that_are_no_utf_8_can_be_shown(tmp_path, tree, pack):
    for name in ("a", "b"):
        pack(tree, f"{name}.zip").rename(tmp_path / f"{name}\udcff.zip")
    (tmp_path / "list").write_bytes(b"a\xff.zip\nb\xff.zip\n")
    paths = paths_in(f"@{tmp_path}/list")
    assert len(paths) == 80
    assert "a\\xff.zip/0.PNG" in paths


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_that_were_joined_lose_nothing(pictures, encoding):
    lists = [f"{name}\r\n".encode(encoding) for name in NAMES]
    (pictures / "list").write_bytes(b"".join(lists))
    assert paths_in(f"@{pictures}/list") == sorted(NAMES)


def test_a_list_in_utf_32_is_refused(pictures):
    (pictures / "list").write_text("a.jpg\n", encoding="utf-32")
    with pytest.raises(UsageError, match="save it as UTF-8"):
        open_source(f"@{pictures}/list")


def test_an_empty_folder_of_a_list_is_told(pictures):
    (pictures / "empty").mkdir()
    (pictures / "list").write_text("empty\nsub\nsub\na.jpg\n")
    assert set_aside(f"@{pictures}/list") == [
        ("empty", Reason.MISSING, "no file in 'empty' (line 1 of list)")
    ]


def test_of_listed_folders_that_a_link_joins_each_file_keeps_its_own_path(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.png").touch()
    (tmp_path / "a" / "link").symlink_to("../b")
    (tmp_path / "list").write_text("a\nb\n")
    assert paths_in(f"@{tmp_path}/list") == ["a/a.png", "b/b.png"]
    assert set_aside(f"@{tmp_path}/list") == []
