"""What is refused for want of pictures before any is opened."""

import io
import os
import tarfile
import zipfile

import pytest

from components.shared.errors import DataRefused, UsageError
from pipeline import preflight
from pipeline.config import load_config
from pipeline.enough_pictures import check_max_images, check_sources

NEEDED = 4 * 2 + 6  # two batches of four, and six held out


def check(*images, settings=()):
    chosen = ["train.batch_size=4", *settings]
    check_sources(load_config("demo", overrides=chosen, images=[str(image) for image in images]))


@pytest.fixture
def make(tmp_path):
    """Make a folder of so many files with a picture's name; none of them is one."""

    def make(count, name="faces"):
        folder = tmp_path / name
        folder.mkdir()
        for index in range(count):
            (folder / f"{index}.JPG").touch()
        return folder

    return make


def packed(folder, kind):
    """The folder as an archive, or named in another way."""
    target = folder.with_name(f"packed.{kind}")
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
    elif kind == "tar":
        with tarfile.open(target, "w") as archive:
            archive.add(folder)
    elif kind == "list":
        target.write_text("".join(f"{path}\n" for path in folder.iterdir()))
        return f"@{target}"
    else:
        return f"{folder}/*.JPG" if kind == "pattern" else folder
    return target


KINDS = ["folder", "zip", "tar", "list", "pattern"]


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_files_than_pictures_needed_are_refused(make, kind):
    source = packed(make(NEEDED - 1), kind)
    with pytest.raises(DataRefused) as info:
        check(source)
    assert str(info.value).startswith(f"at most 13 pictures in '{source}', and this run needs 14: ")
    assert str(info.value).endswith("add pictures, or lower train.batch_size")


@pytest.mark.parametrize("kind", KINDS)
def test_as_many_files_as_pictures_needed_are_left_to_ingest(make, kind):
    check(packed(make(NEEDED), kind))


@pytest.mark.parametrize(
    ("settings", "needed", "missing", "advice"),
    [
        ([], 14, 1, "train.batch_size"),
        (["evaluate.neighbours=50"], 51 + 51, 1, "evaluate.neighbours"),
        (["transform.min_images=20"], 20 + 6, 1, "transform.min_images"),
        (["transform.min_images=8"], 8 + 6, 1, "transform.min_images"),
        (["transform.min_images=2", "train.batch_size=30"], 36, 1, "train.batch_size"),
        (
            ["transform.min_images=30", "train.batch_size=30"], 36, 1,
            "transform.min_images and train.batch_size",
        ),
        (
            ["evaluate.neighbours=10", "train.batch_size=20"], 40 + 11, 1,
            "train.batch_size, or lower evaluate.neighbours",
        ),
        (
            ["evaluate.neighbours=10", "train.batch_size=20"], 40 + 11, 30,
            "train.batch_size and evaluate.neighbours",
        ),
        (
            ["evaluate.neighbours=10", "train.batch_size=20", "transform.min_images=20"], 31, 12,
            "transform.min_images and train.batch_size and evaluate.neighbours",
        ),
        (["train.batch_size=2"], 6 + 6, 1, ""),
    ],
)  # fmt: skip
def test_what_is_needed_and_what_helps_follow_the_settings(make, settings, needed, missing, advice):
    folder = make(needed - missing)
    with pytest.raises(DataRefused) as refused:
        check(folder, settings=settings)
    told, _, advised = str(refused.value).partition(": add pictures")
    assert f"this run needs {needed}: " in told
    assert advised == (f", or lower {advice}" if advice else "")
    lowest = {"transform.min_images": 2, "train.batch_size": 2, "evaluate.neighbours": 1}
    for way in advised.split(", or lower ")[1:]:
        check(folder, settings=[*settings, *(f"{key}={lowest[key]}" for key in way.split(" and "))])
    for index in range(missing):
        (folder / f"{index} more.png").touch()
    check(folder, settings=settings)


@pytest.mark.parametrize("files", [(), ("notes.txt", "faces.json")])
def test_without_any_picture_it_is_said_so(make, files):
    folder = make(0)
    for name in files:
        (folder / name).write_text("no picture")
    with pytest.raises(DataRefused, match=r"no pictures in '\S+/faces': pass .* end in \.jpg, "):
        check(folder)


def test_several_sources_count_together(make):
    few, rest = make(NEEDED - 4), make(4, "more")
    check(few, rest)
    os.remove(rest / "0.JPG")  # noqa: PTH107
    with pytest.raises(DataRefused, match="at most 13 pictures"):
        check(few, rest)


def test_what_would_have_to_be_read_to_be_counted_is_left_to_ingest(make, tmp_path):
    folder = make(2)
    with tarfile.open(tmp_path / "faces.tar.gz", "w:gz") as archive:
        archive.add(folder)
    check(tmp_path / "faces.tar.gz")
    check(tmp_path / "faces", "gs://nowhere/faces")


def test_what_cannot_be_used_is_no_picture_and_is_told_by_its_cause(make, tmp_path):
    folder = make(NEEDED - 1)
    for name in ("inner.zip", "1.heic", "2.heic", ".hidden.png", "notes.txt"):
        (folder / name).touch()
    (folder / "lost.png").symlink_to("nowhere")
    with pytest.raises(DataRefused) as refused:
        check(folder)
    told = str(refused.value).partition(f"at most 13 pictures in '{folder}' ")[2]
    assert told.startswith("(4 that cannot be used, such as '")
    assert "'1.heic' (its format is not read: convert it to JPEG or PNG)" in told
    assert "'inner.zip' (it is not opened: name it as a source of its own)" in told
    assert "'lost.png' (a link that leads nowhere)" in told
    for name in ("hidden", "notes", "2.heic"):
        assert name not in told
    (tmp_path / "list").write_text("faces/*.png\nfaces/gone.png\n")
    with pytest.raises(DataRefused, match=r"no pictures in .*: a list holds no patterns, --images"):
        check(f"@{tmp_path}/list")


@pytest.mark.parametrize("kind", ["tar", "pattern of tars", "list of tars", "several"])
def test_a_tar_is_read_no_further_than_it_takes_to_count_enough(make, tmp_path, kind):
    folder = make(NEEDED)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(folder)
        last = tarfile.TarInfo("z.jpg")
        last.size = 1 << 20
        archive.addfile(last, io.BytesIO(bytes(last.size)))
    os.truncate(tmp_path / "a.tar", 1 << 19)  # which whoever reads on finds damaged
    (tmp_path / "list").write_text("a.tar\n")
    source = {"pattern of tars": "*.tar", "list of tars": "list"}.get(kind, "a.tar")
    mark = "@" if source == "list" else ""
    check(f"{mark}{tmp_path}/{source}", *([folder] if kind == "several" else []))


def test_a_pattern_is_looked_through_once(make, monkeypatch):
    folder = make(NEEDED)
    looked_through = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked_through.append(path) or scandir(path))
    config = load_config("demo", overrides=["train.batch_size=4"], images=[f"{folder}/*.JPG"])
    preflight.check(config, folder.parent / "runs", str(folder.parent / "models"))
    assert looked_through.count(os.fsencode(f"{folder}/")) == 1


def test_of_several_sources_each_pattern_must_fit_something(make, tmp_path):
    folder = make(NEEDED)
    for beside in (folder, "gs://nowhere/faces"):
        with pytest.raises(UsageError, match=r"\*\.webp: nothing there fits this pattern"):
            check(beside, f"{folder}/*.webp")


@pytest.mark.parametrize("most", [1, NEEDED - 1])
def test_too_low_a_limit_is_refused(most):
    chosen = ["train.batch_size=4", f"ingest.max_images={most}"]
    with pytest.raises(UsageError, match=rf"ingest\.max_images \(={most}\) leaves too few: this"):
        check_max_images(load_config("demo", overrides=chosen))


@pytest.mark.parametrize("most", [0, NEEDED])
def test_a_limit_that_leaves_enough_is_not(most):
    chosen = ["train.batch_size=4", f"ingest.max_images={most}"]
    check_max_images(load_config("demo", overrides=chosen))


def test_an_empty_one_of_several_sources_is_refused(make, tmp_path):
    folder = make(2 * NEEDED)
    (tmp_path / "empty").mkdir()
    for images in ((folder, tmp_path / "empty"), (tmp_path / "empty", folder)):
        with pytest.raises(DataRefused, match=r"^no pictures in '\S+/empty': pass a source with"):
            check(*images)


def test_the_advice_is_that_of_the_cause(tmp_path):
    (tmp_path / "list").write_text("gone.png\n")
    with pytest.raises(
        DataRefused, match=r"'gone.png' \(line 1 of list\)\)\): bring them back, or"
    ):
        check(f"@{tmp_path}/list")


@pytest.mark.parametrize(
    ("images", "runs_dir", "is_refused"),
    [
        ("faces", "faces/runs", True),
        ("faces", "faces", True),
        (".", "runs", True),
        (".", ".runs", False),
        ("faces", "runs", False),
        ("faces", "faces2", False),
        ("*/*.JPG", "runs", False),
        ("**/*.JPG", "runs", True),
        ("faces/**/*", "runs", False),
        ("@list", "runs", False),
        ("@tree", "runs", True),
    ],
)
def test_results_among_the_pictures_are_refused(
    make, tmp_path, monkeypatch, images, runs_dir, is_refused
):
    """The next run would train on what this one draws."""
    folder = make(2 * NEEDED)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list").write_text("".join(f"{path}\n" for path in folder.iterdir()))
    (tmp_path / "tree").write_text(".\n")
    config = load_config("demo", overrides=["train.batch_size=4"], images=[images])
    place, other = tmp_path / runs_dir, tmp_path / ".other"
    for options in ((place, str(other)), (other, str(place))):
        if is_refused:
            with pytest.raises(UsageError, match="so that what a run draws would be pictures of "):
                preflight.check(config, *options)
        else:
            preflight.check(config, *options)
