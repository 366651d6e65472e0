"""A folder that may not be read is set aside as a file is, and told."""

import pytest

from components.ingest.fingerprint import fingerprint
from components.ingest.reasons import Reason
from components.ingest.sources import open_source
from components.shared.contracts import MANIFEST, REJECTED
from components.shared.errors import DataRefused, UsageError
from components.shared.files import read_json, read_json_lines
from tests.components.ingest.reading import paths_in

TOLD = {
    "path": "lost+found", "bytes": 0, "reason": "folder that may not be read",
    "detail": "permission denied",
}  # fmt: skip


def test_the_other_pictures_are_used(tree, run, locked, caplog, tmp_path):
    (tree / "lost+found").mkdir()
    locked(tree / "lost+found")
    records = run(tree, max_reject_share=0)
    assert TOLD in read_json_lines(records / REJECTED)
    assert read_json(records / MANIFEST)["counts"]["seen"] == 42
    assert "'lost+found' is left out: permission denied" in [
        record.getMessage() for record in caplog.records
    ]
    assert fingerprint(str(tree), tmp_path / "cache") == fingerprint(str(tree), tmp_path / "new")


def test_a_hidden_one_is_hidden(tree, locked):
    (tree / ".Trash-0").mkdir()
    locked(tree / ".Trash-0")
    with open_source(str(tree)) as opened:
        others = {each.path: each.reason for each in opened.list().other}
    assert others[".Trash-0"] == "hidden"


def test_a_link_into_one_is_told_too(tree, tmp_path, no_root):
    """Whether it leads to a folder, nobody can know."""
    (tmp_path / "private/pics").mkdir(parents=True)
    (tmp_path / "private/1.jpg").touch()
    (tree / "pics").symlink_to(tmp_path / "private/pics")
    (tree / "faces.v2").symlink_to(tmp_path / "private/pics")
    (tree / "1.jpg").symlink_to(tmp_path / "private/1.jpg")
    (tree / "list").write_text(f"pics\n{tmp_path}/private/pics\n0.PNG\n")
    (tmp_path / "private").chmod(0)
    told = tuple(TOLD.values())[1:]
    with open_source(str(tree)) as opened:
        others = {each.path: each[1:4] for each in opened.list().other}
    assert others["pics"] == others["faces.v2"] == told
    assert others["1.jpg"] == (0, "permission denied", "")
    with open_source(f"@{tree}/list") as opened:
        others = {each.path: each[1:4] for each in opened.list().other}
    assert others == {"tree/pics": told, "private/pics": told}


def test_it_is_told_under_a_pattern_and_in_a_list(tree, locked):
    (tree / "list").write_text("sub\n0.PNG\n")
    pictures = paths_in(f"@{tree}/list")
    locked(tree / "sub")
    for source in (f"{tree}/**/*.jpg", f"@{tree}/list"):
        with open_source(source) as opened:
            (told,) = (each for each in opened.list().other if each.path == "sub")
        assert told[1:4] == (0, "folder that may not be read", "permission denied")
    assert paths_in(f"@{tree}/list") == ["0.PNG"] != pictures


def test_a_pattern_of_archives_passes_it_by(tree, tmp_path, pack, locked):
    pack(tree, "a.zip")
    (tmp_path / "lost+found").mkdir()
    locked(tmp_path / "lost+found")
    assert len(paths_in(f"{tmp_path}/*.zip")) == 40


def test_a_pattern_of_archives_is_refused_where_it_leads_into_one(tmp_path, tree, pack, locked):
    for name in "ab":
        (tmp_path / "packed" / name).mkdir(parents=True)
        pack(tree, "x.zip").rename(tmp_path / "packed" / name / "x.zip")
    locked(tmp_path / "packed/b")
    with pytest.raises(UsageError, match=r"/b' may not be read \(permission denied\), and '"):
        paths_in(f"{tmp_path}/packed/*/*.zip")


def test_an_archive_behind_one_is_refused(tmp_path, tree, pack, no_root):
    (tmp_path / "private").mkdir()
    pack(tree, "2.zip").rename(tmp_path / "private/2.zip")
    (tmp_path / "2.zip").symlink_to("private/2.zip")
    (tmp_path / "private").chmod(0)
    try:
        with pytest.raises(UsageError, match=r"/2\.zip' may not be read: permission denied"):
            paths_in(f"{tmp_path}/*.zip")
    finally:
        (tmp_path / "private").chmod(0o700)


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (".p*/**/*.jpg", [".photos/sub"]),
        (".p*/*/*", [".photos/sub"]),
        (".p*/*.jpg", []),
        ("**/*.jpg", []),
    ],
)
def test_one_is_told_where_a_pattern_leads_into_it(tmp_path, locked, pattern, told):
    (tmp_path / "all/.photos/sub").mkdir(parents=True)
    (tmp_path / "all/.photos/1.jpg").touch()
    (tmp_path / "all/2.jpg").touch()
    locked(tmp_path / "all/.photos/sub")
    with open_source(f"{tmp_path}/all/{pattern}") as opened:
        others = opened.list().other
    assert [each.path for each in others if each.reason is Reason.FOLDER] == told


def test_where_all_is_locked_the_refusal_says_so(tmp_path, run, locked):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    locked(root / "sub")
    with pytest.raises(DataRefused, match=r"1 other files; 'sub' \(permission denied\)\): pass"):
        run(root)
