"""What the user names is never hidden: the rule of hidden names holds below it."""

import pytest

from components.ingest.fingerprint import fingerprint
from components.ingest.sources import open_source
from tests.components.ingest.reading import paths_in


@pytest.fixture
def hidden_tree(tmp_path):
    """A tree with hidden folders and files at each level."""
    for name in (".pics/1.jpg", ".pics/.2.jpg", ".pics/.sub/3.jpg", "base/4.jpg", "base/.5.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path


def hidden_in(*sources) -> list[str]:
    with open_source("\n".join(map(str, sources))) as opened:
        return [entry.path for entry in opened.list().other if entry.reason == "hidden"]


def test_a_hidden_folder_among_several_is_read(hidden_tree):
    sources = hidden_tree / ".pics", hidden_tree / "base"
    assert paths_in(*sources) == [".pics/1.jpg", "base/4.jpg"]
    assert hidden_in(*sources) == [".pics/.2.jpg", ".pics/.sub/3.jpg", "base/.5.jpg"]


def test_a_folder_named_by_dots_is_read(hidden_tree):
    sources = f"{hidden_tree}/.pics/..", hidden_tree / "base"
    assert paths_in(*sources) == ["../base/4.jpg", "base/4.jpg"]


@pytest.mark.parametrize("name", [".a.zip", ".a.tar"])
def test_a_hidden_archive_among_several_is_read(hidden_tree, tmp_path, pack, name):
    archive = pack(hidden_tree / "base", name)
    assert paths_in(archive, hidden_tree / "base") == [f"{name}/4.jpg", "base/4.jpg"]
    assert hidden_in(archive, hidden_tree / "base") == [f"{name}/.5.jpg", "base/.5.jpg"]


def test_a_list_names_what_is_hidden(hidden_tree):
    (hidden_tree / "list").write_text(".pics/1.jpg\n.pics/.2.jpg\n.pics/.sub/3.jpg\nbase/4.jpg\n")
    assert paths_in(f"@{hidden_tree}/list") == [
        ".pics/.2.jpg", ".pics/.sub/3.jpg", ".pics/1.jpg", "base/4.jpg"
    ]  # fmt: skip
    (hidden_tree / "list").write_text(".pics\nbase/4.jpg\n")  # a folder
    assert paths_in(f"@{hidden_tree}/list") == [".pics/1.jpg", "base/4.jpg"]
    assert hidden_in(f"@{hidden_tree}/list") == [".pics/.2.jpg", ".pics/.sub/3.jpg"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*/*.jpg", ["base/4.jpg"]),
        (".*/*.jpg", [".pics/1.jpg"]),
        (".p*/.s*/*.jpg", [".pics/.sub/3.jpg"]),
        ("**/.[0-9].jpg", ["base/.5.jpg"]),
        (".pics/*.jpg", ["1.jpg"]),
        (".pics/.*", [".2.jpg"]),
    ],
)
def test_a_pattern_names_what_is_hidden_as_in_a_shell(hidden_tree, pattern, expected):
    assert paths_in(f"{hidden_tree}/{pattern}") == expected


def test_a_pattern_of_archives_leaves_hidden_ones(hidden_tree, pack):
    pack(hidden_tree / "base", "1.zip")
    (hidden_tree / "._1.zip").write_bytes(b"\0\5\x16\7")  # as macOS leaves beside it
    assert paths_in(f"{hidden_tree}/*.zip") == ["4.jpg"]


def test_a_bucket_has_the_same_rule(bucket, hidden_tree):
    for path in hidden_tree.rglob("*.jpg"):
        bucket.put(str(path.relative_to(hidden_tree)), path.read_bytes())
    top = bucket.address
    assert paths_in(f"{top}/.pics", f"{top}/base") == [".pics/1.jpg", "base/4.jpg"]
    assert paths_in(f"{top}/.*/*.jpg") == [".pics/1.jpg"]
    (hidden_tree / "list").write_text(f"{top}/.pics/.sub/3.jpg\n{top}/base/4.jpg\n")
    assert paths_in(f"@{hidden_tree}/list") == [".pics/.sub/3.jpg", "base/4.jpg"]


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_list_of_objects_that_means_another_is_another(
    hidden_tree, tmp_path, make_bucket, scheme
):
    bucket = make_bucket(scheme)
    for path in hidden_tree.rglob("*.jpg"):
        bucket.put(str(path.relative_to(hidden_tree)), path.read_bytes())
    digests = set()
    for line in ("", f"{bucket.address}/base/.5.jpg"):
        (tmp_path / "list").write_text(f"{bucket.address}/base/\n{line}\n")
        digests.add(fingerprint(f"@{tmp_path}/list", tmp_path / "cache"))
    assert len(digests) == 2


@pytest.mark.parametrize("beside", ["", "a.zip\n"])  # with which the list is several sources
@pytest.mark.parametrize("more", ["base/.5.jpg", "base/LOST"])
def test_a_list_that_finds_the_same_but_means_another_is_another(
    hidden_tree, tmp_path, pack, more, beside
):
    """Else ingest would be answered from its cache."""
    pack(hidden_tree / "base", "a.zip")
    (hidden_tree / "base/LOST").symlink_to("nowhere")
    seen = []
    for line in ("", more):
        (hidden_tree / "list").write_text(f".pics\nbase\n{line}\n{beside}")
        with open_source(f"@{hidden_tree}/list") as opened:
            listing = opened.list()
        paths = {each.path for part in listing for each in part}
        others = [each[:3] for each in listing.other]
        seen.append((paths, others, fingerprint(f"@{hidden_tree}/list", tmp_path / "cache")))
    (paths, others, digest), after = seen
    assert after[0] == paths
    assert after[1] != others
    assert after[2] != digest
