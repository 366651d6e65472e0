import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.ingest import beam_pipeline
from components.ingest.config import IngestConfig
from components.ingest.shard import shard_of
from components.shared.contracts import (
    CONTACT_SHEET,
    FILES,
    IMAGE,
    MANIFEST,
    REJECTED,
    SHA256,
)
from components.shared.files import digest_of, digest_of_file, read_json, read_json_lines
from components.shared.records import shard_paths


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def records_of(folder: Path, split: str) -> list[dict[str, bytes]]:
    """Read with TensorFlow, as the other steps do."""
    import tensorflow as tf

    paths = [str(path) for path in shard_paths(folder, split)]
    records = []
    for serialised in tf.data.TFRecordDataset(paths).as_numpy_iterator():
        feature = tf.train.Example.FromString(serialised).features.feature
        records.append({key: feature[key].bytes_list.value[0] for key in feature})
    return records


def paths_of(folder: Path, split: str) -> set[str]:
    return {line["path"] for line in read_json_lines(folder / FILES) if line["outcome"] == split}


def test_records_hold_the_pictures(tree, run):
    folder = run(tree)
    paths = {
        hashlib.sha256(path.read_bytes()).hexdigest(): path
        for path in tree.rglob("*")
        if path.suffix in (".jpg", ".PNG")
    }
    records = [record for split in ("train", "eval") for record in records_of(folder, split)]
    assert {record[SHA256].decode() for record in records} == set(paths)
    for record in records:
        assert set(record) == {IMAGE, SHA256}
        path = paths[record[SHA256].decode()]
        square = Image.open(path).convert("RGB").crop((4, 0, 44, 40))  # of 48×40
        resized = np.asarray(square.resize((32, 32), Image.Resampling.LANCZOS))
        np.testing.assert_array_equal(
            np.frombuffer(record[IMAGE], np.uint8).reshape(32, 32, 3), resized
        )


def test_the_ledger_has_a_line_for_each_file(broken, run):
    (broken / "twin.jpg").write_bytes((broken / "3.jpg").read_bytes())
    (broken / ".hidden.jpg").write_bytes(b"")
    folder = run(broken, max_reject_share=0.5)
    lines = {line["path"]: line for line in read_json_lines(folder / FILES)}
    assert len(lines) == len(read_json_lines(folder / FILES)) == 51
    assert lines["3.jpg"]["outcome"] in ("train", "eval")
    assert lines["twin.jpg"]["outcome"] == "duplicate"
    assert lines["twin.jpg"]["sha256"] == lines["3.jpg"]["sha256"]
    assert lines["half.jpg"]["reason"] == "truncated"
    assert lines["sub/lost.webp"]["sha256"] is None
    assert lines["ATTRIBUTION.txt"]["reason"] == "other file"
    assert lines[".hidden.jpg"]["reason"] == "hidden"
    for split in ("train", "eval"):
        assert [record[SHA256].decode() for record in records_of(folder, split)] == [
            line["sha256"] for line in lines.values() if line["outcome"] == split
        ]
    rejected = read_json_lines(folder / REJECTED)
    assert [line["path"] for line in rejected] == sorted(
        line["path"] for line in lines.values() if line["outcome"] == "rejected"
    )
    assert lines["sub/lost.webp"]["detail"] == "a link that leads nowhere"
    assert all(set(line) - {"detail"} == {"path", "bytes", "reason"} for line in rejected)


def test_manifest_tells_what_is_in_the_folder(tree, run, config):
    (tree / "twin.jpg").write_bytes((tree / "3.jpg").read_bytes())
    folder = run(tree, max_reject_share=0.1)
    manifest = read_json(folder / MANIFEST)
    shards = [shard for split in ("train", "eval") for shard in manifest["shards"][split]]
    assert [shard["name"] for shard in shards] == [
        "train-00000-of-00002.tfrecord",
        "train-00001-of-00002.tfrecord",
        "eval-00000-of-00002.tfrecord",
        "eval-00001-of-00002.tfrecord",
    ]
    for shard in shards:
        assert shard["sha256"] == digest_of_file(folder / shard["name"])
    for split in ("train", "eval"):
        images = [shard["images"] for shard in manifest["shards"][split]]
        assert sum(images) == manifest["counts"][split] == len(records_of(folder, split)) > 0
    counts = manifest["counts"]
    assert (counts["seen"], counts["duplicate"], counts["rejected"]) == (42, 1, 1)
    assert counts["seen"] == sum(counts[k] for k in ("train", "eval", "duplicate", "rejected"))
    assert manifest["image_size"] == 32
    where = {"beam_options", "staging"}
    assert manifest["config"] == {**config.model_dump(exclude=where), "max_reject_share": 0.1}
    assert manifest["rejected_by_reason"] == {"other file": 1}
    assert manifest["near_duplicates"] is None
    assert manifest["digest"] == digest_of(
        {"image_size": 32, "shards": [shard["sha256"] for shard in shards]}
    )
    assert set(files_of(folder)) == {
        *(shard["name"] for shard in shards), MANIFEST, FILES, REJECTED, CONTACT_SHEET
    }  # fmt: skip


def test_a_folder_and_its_archives_give_the_same_files(tree, run, pack):
    expected = files_of(run(tree))
    for name in ("a.zip", "a.tar", "a.tar.gz"):
        assert files_of(run(pack(tree, name), name=f"from {name}")) == expected


def test_files_depend_neither_on_place_nor_on_the_order_of_files(tree, run, tmp_path):
    copy = tmp_path / "elsewhere" / "copy"
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_file():
            (copy / path.relative_to(tree)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy / path.relative_to(tree))
    assert files_of(run(copy, name="second")) == files_of(run(tree))


def test_names_have_no_say_in_the_shards(tree, run, tmp_path):
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    pictures = [path for path in tree.rglob("*") if path.suffix in (".jpg", ".PNG")]
    for number, path in enumerate(pictures):
        shutil.copyfile(path, renamed / f"{number}{path.suffix}")
    before, after = run(tree), run(renamed, name="second")
    for split in ("train", "eval"):
        for path in shard_paths(before, split):
            assert path.read_bytes() == (after / path.name).read_bytes()
    assert read_json(before / MANIFEST)["digest"] == read_json(after / MANIFEST)["digest"]


def test_work_in_small_chunks_gives_the_same_files(tree, run, monkeypatch):
    expected = files_of(run(tree))
    monkeypatch.setattr(beam_pipeline, "_CHUNK_FILES", 7)
    assert files_of(run(tree, name="by number")) == expected
    monkeypatch.setattr(beam_pipeline, "_CHUNK_BYTES", 5000)
    assert files_of(run(tree, name="by size")) == expected


def test_pictures_keep_their_split_when_others_are_added(tree, run, picture):
    before = run(tree)
    for seed in range(100, 130):
        picture(seed).save(tree / f"added-{seed}.png")
    after = run(tree, name="second")
    for split in ("train", "eval"):
        assert paths_of(before, split) < paths_of(after, split)


def test_the_split_has_about_the_share_asked_for():
    for eval_share in (0.1, 0.5):
        config = IngestConfig(eval_share=eval_share, shards=4)
        names = [
            shard_of(hashlib.sha256(bytes([i % 256, i // 256])).digest(), config)
            for i in range(4000)
        ]
        share = sum(name.startswith("eval") for name in names) / len(names)
        assert share == pytest.approx(eval_share, abs=0.025)  # over 3 standard deviations
        assert len(set(names)) == 8


def test_of_the_same_bytes_the_smallest_path_stays(tree, run):
    content = (tree / "3.jpg").read_bytes()
    for name in ("0-first.jpg", "sub/again.jpg", "zz.jpeg"):
        (tree / name).write_bytes(content)
    folder = run(tree)
    assert read_json(folder / MANIFEST)["counts"]["duplicate"] == 3
    kept = paths_of(folder, "train") | paths_of(folder, "eval")
    assert kept & {"3.jpg", "0-first.jpg", "sub/again.jpg", "zz.jpeg"} == {"0-first.jpg"}


def test_max_images_takes_the_first_by_path(tree, run):
    folder = run(tree, max_images=15)
    ordered = sorted(
        str(path.relative_to(tree)) for path in tree.rglob("*") if path.suffix in (".jpg", ".PNG")
    )
    assert paths_of(folder, "train") | paths_of(folder, "eval") == set(ordered[:15])
    counts = read_json(folder / MANIFEST)["counts"]
    assert (counts["seen"], counts["rejected"]) == (16, 1)


def test_a_shard_without_pictures_is_an_empty_file(tree, run):
    folder = run(tree, shards=100)
    assert len(shard_paths(folder, "train")) == len(shard_paths(folder, "eval")) == 100
    manifest = read_json(folder / MANIFEST)
    empty = [shard for shard in manifest["shards"]["train"] if not shard["images"]]
    assert empty
    assert all((folder / shard["name"]).stat().st_size == 0 for shard in empty)
    assert len(records_of(folder, "train")) == manifest["counts"]["train"]


REASONS = {
    "b\\xe9\u2028.bmp": ("empty", 0),
    "damaged.png": ("unreadable", None),
    "empty.png": ("empty", 0),
    "half-again.jpg": ("truncated", None),
    "half.jpg": ("truncated", None),
    "page.JPG": ("not a picture", 16),
    "sub/lost.webp": ("missing", 0),
    "sub/tiny.gif": ("too small", None),
}


def test_broken_files_are_set_aside_with_their_reasons(broken, run, caplog):
    caplog.set_level("INFO", "dcgan")
    folder = run(broken, max_reject_share=0.2)
    lines = [
        line for line in read_json_lines(folder / REJECTED) if line["path"] != "ATTRIBUTION.txt"
    ]
    assert [line["path"] for line in lines] == list(REASONS)
    assert {line["path"]: line["reason"] for line in lines} == {
        path: reason for path, (reason, _) in REASONS.items()
    }
    for line in lines:
        size = REASONS[line["path"]][1]
        assert line["bytes"] == ((broken / line["path"]).stat().st_size if size is None else size)
    manifest = read_json(folder / MANIFEST)
    assert manifest["counts"]["rejected"] == 9
    assert manifest["counts"]["seen"] == 49
    assert manifest["rejected_by_reason"] == {
        "empty": 2, "missing": 1, "not a picture": 1, "other file": 1, "too small": 1,
        "truncated": 2, "unreadable": 1,
    }  # fmt: skip
    train, eval_ = manifest["counts"]["train"], manifest["counts"]["eval"]
    assert [record.getMessage() for record in caplog.records if record.name == "dcgan.ingest"] == [
        "'sub/lost.webp' is left out: a link that leads nowhere",
        f"49 files: {train} train, {eval_} eval, 0 duplicates, 9 rejected",
        "rejected 9: 2 empty, 2 truncated, 1 missing, 1 not a picture, 1 other file, "
        "1 too small, 1 unreadable; see rejected.jsonl",
    ]


def test_the_contact_sheet_shows_training_pictures(tree, run):
    folder = run(tree)
    with Image.open(folder / CONTACT_SHEET) as sheet:
        shown = np.asarray(sheet)
    records = records_of(folder, "train")
    rows = -(-len(records) // 8)
    assert shown.shape == (rows * 34 + 2, 8 * 34 + 2, 3)
    for index, record in enumerate(records):
        top, left = index // 8 * 34 + 2, index % 8 * 34 + 2
        pixels = np.frombuffer(record[IMAGE], np.uint8).reshape(32, 32, 3)
        np.testing.assert_array_equal(shown[top : top + 32, left : left + 32], pixels)


def test_the_contact_sheet_has_at_most_64_pictures(tmp_path, run, picture):
    for seed in range(150):
        picture(seed, 32, 32).save(tmp_path / f"{seed}.png")
    folder = run(tmp_path, shards=3)  # 64 is no multiple of it
    assert read_json(folder / MANIFEST)["counts"]["train"] > 66
    with Image.open(folder / CONTACT_SHEET) as sheet:
        assert sheet.size == (8 * 34 + 2, 8 * 34 + 2)


def test_a_second_run_replaces_the_first(tree, run):
    first = run(tree)
    (first / "stale").touch()
    assert not (run(tree) / "stale").exists()


def test_nothing_of_this_machine_is_written(tree, run, tmp_path):
    folder = run(tree)
    for name, content in files_of(folder).items():
        assert str(tmp_path).encode() not in content, name
    text = (folder / MANIFEST).read_text()
    assert json.loads(text)
    assert not re.search(r"20\d\d-\d\d-\d\d", text)


def test_tensorflow_is_not_imported(tree, tmp_path):
    code = (
        "import sys; from pathlib import Path; from components.ingest.config import IngestConfig; "
        "from components.ingest.step import ingest; "
        "ingest(sys.argv[1], Path(sys.argv[2]), IngestConfig(eval_share=0.3)); "
        "print('tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(tree), str(tmp_path / "records")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"
