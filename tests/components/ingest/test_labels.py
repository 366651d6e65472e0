"""The first folder below what is named is a picture's class, whatever it is packed in."""

import collections
import json
import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.ingest.labels import label_by_folders
from components.ingest.sources import open_source
from components.shared.contracts import EVAL_SPLIT, FILES, MANIFEST, REJECTED, TRAIN_SPLIT
from components.shared.errors import DataRefused
from components.shared.files import digest_of_file, read_json
from components.shared.records import read_labels, shard_paths


def classes_in(*sources) -> dict[str, str | None]:
    """Class of each picture by the name of its file."""
    with open_source("\n".join(map(str, sources))) as opened:
        listing = label_by_folders(opened.list(), opened)
    named = {Path(one.path).name: listing.classes[one.label] for one in listing.pictures}
    return named | {Path(one.path).name: None for one in listing.other}


def packed(root: Path, folder: Path, prefix: str) -> list[Path]:
    """A zip and a tar of a folder, each path in there behind a prefix."""
    with (
        zipfile.ZipFile(folder / f"{len(prefix)}.zip", "w") as as_zip,
        tarfile.open(folder / f"{len(prefix)}.tar.gz", "w:gz") as as_tar,
    ):
        for path in sorted(root.rglob("*"), reverse=True):
            if path.is_file():
                as_zip.write(path, f"{prefix}{path.relative_to(root)}")
                as_tar.add(path, f"{prefix}{path.relative_to(root)}")
    return [folder / f"{len(prefix)}.zip", folder / f"{len(prefix)}.tar.gz"]


NAMES = st.sampled_from(
    ["red", "7", "a b", "é [1]*", "<b>&\"'", "|`", "wrapped", "red.zip", "x\ny", "\\", "%41", "…"]
)
BELOW = st.lists(NAMES, max_size=2).map("/".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, st.lists(BELOW, min_size=1, max_size=3), min_size=2, max_size=4))
def test_every_source_and_packing_gives_the_same_classes(folders):
    with tempfile.TemporaryDirectory() as made:
        root, expected = Path(made, "pictures"), {}
        for name, places in folders.items():
            for number, place in enumerate(places):
                path = root / name / place / f"{len(expected)}-{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"1")
                expected[path.name] = name
        listed = Path(made, "list")
        lines = [str(path) for path in root.rglob("*.png") if "\n" not in str(path)]
        listed.write_text("\n".join(lines), encoding="utf-8")
        sources = [root, f"{root}/", f"{root}/**/*.png", *packed(root, Path(made), "")]
        for source in (*sources, *packed(root, Path(made), "all/of it/")):
            assert classes_in(source) == expected, source
        in_list = {Path(line).name: expected[Path(line).name] for line in lines}
        if len(set(in_list.values())) > 1:
            assert classes_in(f"@{listed}") == in_list


@pytest.fixture
def kinds(tmp_path, picture, encode):
    """Two folders of pictures, the names of which say where they lie."""
    for number, name in enumerate(("red", "blue")):
        folder = tmp_path / "kinds" / name
        folder.mkdir(parents=True)
        for seed in range(number * 100, number * 100 + 30):
            (folder / f"{name}-{seed}.png").write_bytes(encode(picture(seed), "PNG"))
    return tmp_path / "kinds"


def is_by_name(found: dict[str, str | None]) -> bool:
    return found and all(name.partition("-")[0] == label for name, label in found.items())


def test_a_bucket_and_a_list_of_its_objects_have_them_too(kinds, bucket, tmp_path):
    lines = []
    for path in kinds.rglob("*.png"):
        key = f"some/{path.relative_to(kinds)}"
        bucket.put(key, path.read_bytes())
        lines.append(f"{bucket.address}/{key}")
    (tmp_path / "list").write_text("\n".join(lines))
    (tmp_path / "folders").write_text(f"{bucket.address}/some/red/\n{bucket.address}/some/blue/")
    (archive, _) = packed(kinds, tmp_path, "")
    bucket.put("packs/all.zip", archive.read_bytes())
    for source in (
        f"{bucket.address}/some",
        f"{bucket.address}/some/**/*.png",
        f"@{tmp_path}/list",
        f"@{tmp_path}/folders",
        f"{bucket.address}/packs/all.zip",
    ):
        assert is_by_name(classes_in(source)), source


def test_sources_without_folders_are_a_class_each(kinds, tmp_path):
    (red, _), (_, blue) = (packed(kinds / name, tmp_path / name, "") for name in made(tmp_path))
    red, blue = red.rename(tmp_path / "red.zip"), blue.rename(tmp_path / "blue.TAR.GZ")
    for sources in (
        (kinds / "red", kinds / "blue"),
        (f"{kinds}/red/*.png", f"{kinds}/blue/*"),
        (red, blue),
        (red, kinds / "blue"),
        (f"{tmp_path}/*.zip", kinds / "blue"),
    ):
        assert is_by_name(classes_in(*sources)), sources


def made(folder: Path) -> list[str]:
    names = ["red", "blue"]
    for name in names:
        (folder / name).mkdir()
    return names


def test_sources_with_folders_share_their_classes(kinds, tmp_path):
    shutil.copytree(kinds / "red", tmp_path / "more/red")
    (tmp_path / "more/red").rename(tmp_path / "more/blue")
    for path in (tmp_path / "more/blue").iterdir():
        path.rename(path.with_name(f"blue-of-{path.name}"))
    assert is_by_name(classes_in(kinds, tmp_path / "more"))


def test_wrapped_archives_share_their_classes(kinds, tmp_path):
    archives = []
    for name in made(tmp_path):
        one = tmp_path / "one" / name
        shutil.copytree(kinds / name, one)
        archives.append(packed(one.parent, tmp_path / name, "faces/")[0])
        shutil.rmtree(one.parent)
    assert is_by_name(classes_in(*archives))


def test_records_and_manifest_hold_them(kinds, run):
    (kinds / "red/broken.png").write_bytes(b"")
    (kinds / "red/again.png").write_bytes((kinds / "red/red-3.png").read_bytes())
    (kinds / "blue/notes.txt").touch()
    (kinds / "red/.hidden.png").touch()
    records = run(kinds, labels="folders", max_reject_share=0.5)
    manifest = read_json(records / MANIFEST)
    assert [one["name"] for one in manifest["classes"]] == ["blue", "red"]
    outcomes = {
        line["path"]: line["outcome"]
        for line in map(json.loads, (records / FILES).read_text().splitlines())
    }
    for split in (TRAIN_SPLIT, EVAL_SPLIT):
        labels = collections.Counter(read_labels(shard_paths(records, split)))
        for number, one in enumerate(manifest["classes"]):
            of_it = [path for path in outcomes if path.startswith(f"{one['name']}/")]
            assert one[split] == labels[number]
            assert one[split] == sum(outcomes[path] == split for path in of_it)
            assert one["rejected"] == sum(outcomes[path] == "rejected" for path in of_it)
    assert manifest["counts"]["duplicate"] == 1


def test_the_names_are_in_the_digest_though_not_in_the_records(kinds, run):
    before = run(kinds, "before", labels="folders")
    (kinds / "red").rename(kinds / "rose")
    after = run(kinds, "after", labels="folders")
    names = {path.name for path in before.glob("*.tfrecord")}
    assert all(digest_of_file(before / n) == digest_of_file(after / n) for n in names)
    assert read_json(before / MANIFEST)["digest"] != read_json(after / MANIFEST)["digest"]


def test_what_stands_in_two_classes_is_in_neither(kinds, run, caplog):
    content = (kinds / "red/red-1.png").read_bytes()
    for copy in ("red/z.png", "blue/z.png"):
        (kinds / copy).write_bytes(content)
    records = run(kinds, labels="folders")
    told = [json.loads(line) for line in (records / REJECTED).read_text().splitlines()]
    assert {(line["path"], line["detail"]) for line in told} == {
        ("blue/z.png", "in another class, too: 'red/red-1.png'"),
        ("red/red-1.png", "in another class, too: 'blue/z.png'"),
        ("red/z.png", "in another class, too: 'blue/z.png'"),
    }
    manifest = read_json(records / MANIFEST)
    assert manifest["rejected_by_reason"] == {"in two classes": 3}
    assert manifest["counts"]["duplicate"] == 0
    assert [one["train"] + one["eval"] for one in manifest["classes"]] == [30, 29]
    # Without classes it is a duplicate as any other.
    assert read_json(run(kinds, "plain") / MANIFEST)["counts"]["duplicate"] == 2


def test_pictures_beside_the_folders_are_left_out(kinds, run, caplog):
    (kinds / "loose.png").write_bytes((kinds / "red/red-1.png").read_bytes())
    manifest = read_json(run(kinds, labels="folders", max_reject_share=0) / MANIFEST)
    assert manifest["rejected_by_reason"] == {"in no class's folder": 1}
    assert "'loose.png' is left out: in no class's folder" in caplog.text
    assert [one["train"] + one["eval"] for one in manifest["classes"]] == [30, 30]


def test_the_first_pictures_are_of_all_classes(kinds, run):
    manifest = read_json(run(kinds, labels="folders", max_images=20) / MANIFEST)
    assert [one["train"] + one["eval"] for one in manifest["classes"]] == [10, 10]


def test_without_labels_no_class_is_written(kinds, run):
    records = run(kinds)
    assert read_json(records / MANIFEST)["classes"] == []


def one_class(kinds):
    shutil.rmtree(kinds / "blue")
    return kinds, "ingest.labels=folders needs 2 classes or more, and there is one, red: name"


def no_class(kinds):
    return kinds / "red", "ingest.labels=folders needs 2 classes or more, and there is none: name"


def one_picture(kinds):
    for name in "abcd":
        (kinds / name).mkdir()
        shutil.copy(kinds / "red/red-1.png", kinds / name)
    return kinds, "the classes a, b, c, d of ingest.labels=folders must have 2 "


def missing_in_a_split(kinds):
    (kinds / "green").mkdir()
    for seed in range(100, 130, 2):
        (kinds / f"blue/blue-{seed}.png").rename(kinds / f"green/{seed}.png")
    for path in [*(kinds / "green").iterdir()][2:]:
        path.write_bytes(b"broken")
    for path in [*(kinds / "green").iterdir()][:2]:
        path.write_bytes((kinds / "red/red-1.png").read_bytes())
    return kinds, "no usable picture of the class green in '"


@pytest.mark.parametrize("spoil", [one_class, no_class, one_picture, missing_in_a_split])
def test_refusals_are_one_line_that_names_them(kinds, run, spoil, tmp_path):
    source, told = spoil(kinds)
    with pytest.raises(DataRefused) as caught:
        run(source, labels="folders", max_reject_share=1)
    message = str(caught.value)
    assert message.startswith(told)
    assert f"'{source}'" in message
    assert "\n" not in message
    assert not (tmp_path / "records").exists()
