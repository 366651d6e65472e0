"""Every file of a source ends in exactly one way, whatever the source and whatever the file."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.ingest.config import IngestConfig
from components.ingest.reasons import NOT_BROKEN, Reason
from components.ingest.step import ingest
from components.shared.contracts import FILES, MANIFEST, REJECTED
from components.shared.files import read_json, read_json_lines
from components.shared.records import read_images, shard_paths
from tests.components.ingest.zoo import OTHER, differences, kinds, write

UNSEEN = {*NOT_BROKEN} - {Reason.FORMAT}  # which content tells, too


def outcomes_of(records: Path) -> dict[str, str]:
    lines = read_json_lines(records / FILES)
    outcomes = {}
    for line in lines:
        outcome = line.get("reason", line["outcome"])
        outcomes[line["path"]] = OTHER if outcome in UNSEEN else outcome
    assert len(outcomes) == len(lines)
    return outcomes


@pytest.mark.parametrize("name", ["folder", "zoo.zip", "zoo.tar", "zoo.tar.gz"])
def test_the_zoo_ends_as_it_must(tmp_path, run, pack, name):
    chosen = [kind for kind in kinds() if kind.portable or name == "folder"]
    assert len(chosen) >= 40
    root = tmp_path / "zoo"
    root.mkdir()
    write(root, chosen)
    source = root if name == "folder" else pack(root, name)
    records = run(source, max_reject_share=1)
    assert differences(outcomes_of(records), chosen) == ""


def test_the_zoo_ends_as_it_must_in_a_bucket(bucket, run):
    # The emulator takes what follows a semicolon in a key for its URL's parameters.
    google = bucket.address.startswith("gs:")
    chosen = [kind for kind in kinds() if kind.portable and not (google and ";" in kind.path)]
    assert len(chosen) >= 40
    for kind in chosen:
        bucket.put(f"zoo/{kind.path}", kind.content)
    records = run(f"{bucket.address}/zoo", max_reject_share=1)
    assert differences(outcomes_of(records), chosen) == ""


# A handful, so that equal contents and every outcome are likely.
CONTENTS = [b"", b"text", b"\xff\xd8\xff", b"GIF89a"]
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\n\r\x85\u2028\u2029"), min_size=1
)


# The fixtures are functions without a state.
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.dictionaries(
        st.tuples(
            NAMES.map(lambda name: name.encode()[:40].decode(errors="ignore").strip(".") or "x"),
            st.sampled_from([".jpg", ".PNG", ".tif", "", ".txt", "/x.jpeg"]),
        ).map("".join),
        st.integers(0, 9),
        min_size=1,
        max_size=12,
    ),
    shards=st.integers(1, 3),
)
def test_each_file_ends_once_and_the_numbers_add_up(picture, encode, files, shards):
    contents = CONTENTS + [encode(picture(seed, 9, 9), "PNG") for seed in range(6)]
    with tempfile.TemporaryDirectory() as folder:
        root, records = Path(folder, "root"), Path(folder, "records")
        root.mkdir()
        for seed in range(60):  # enough for both splits
            (root / f"always {seed}.png").write_bytes(encode(picture(100 + seed, 9, 9), "PNG"))
        for name, content in files.items():
            path = root / name
            if not path.exists() and not path.parent.is_file():
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(contents[content])
        config = IngestConfig(image_size=32, eval_share=0.5, max_reject_share=1, shards=shards)
        manifest = ingest(str(root), records, config)

        on_disk = {str(p.relative_to(root)): p for p in root.rglob("*") if p.is_file()}
        lines = read_json_lines(records / FILES)
        assert sorted(line["path"] for line in lines) == sorted(on_disk)
        counted = Counter(line["outcome"] for line in lines)
        counts = manifest["counts"]
        assert counts.pop("seen") == len(on_disk) == sum(counts.values())
        assert counts == {key: counted[key] for key in ("train", "eval", "duplicate", "rejected")}
        rejected = [line["path"] for line in lines if line["outcome"] == "rejected"]
        assert [line["path"] for line in read_json_lines(records / REJECTED)] == sorted(rejected)
        for line in lines:
            content = on_disk[line["path"]].read_bytes()
            assert line["bytes"] == len(content)
            if line["sha256"]:
                assert line["sha256"] == hashlib.sha256(content).hexdigest()
        for split in ("train", "eval"):
            assert counts[split] == len(list(read_images(shard_paths(records, split))))
        split_of = {line["sha256"]: line["outcome"] for line in lines if line["outcome"] in counts}
        assert counts["duplicate"] == sum(
            line["outcome"] == "duplicate" and line["sha256"] in split_of for line in lines
        )


def test_killed_in_the_middle_it_starts_over_and_leaves_nothing(tmp_path, tree, run, config):
    expected = {path.name: path.read_bytes() for path in run(tree).iterdir()}
    place = tmp_path / "place"
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from components.ingest import beam_pipeline; "
        "from components.ingest.config import IngestConfig; "
        "from components.ingest.step import ingest\n"
        "write = beam_pipeline.write_records; left = [2]\n"
        "def die(*arguments):\n"
        "    left[0] -= 1\n"
        "    return write(*arguments) if left[0] else os.kill(os.getpid(), signal.SIGKILL)\n"
        "beam_pipeline.write_records = die\n"
        "ingest(sys.argv[1], Path(sys.argv[2]), IngestConfig.model_validate_json(sys.argv[3]))\n"
    )
    arguments = [str(tree), str(place / "records"), config.model_dump_json()]
    killed = subprocess.run([sys.executable, "-c", code, *arguments], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in place.iterdir()] == [".records.partial"]
    assert any(".spill-" in name for _, _, names in os.walk(place) for name in names)
    ingest(str(tree), place / "records", config)
    assert [path.name for path in place.iterdir()] == ["records"]
    assert {path.name: path.read_bytes() for path in (place / "records").iterdir()} == expected


def test_near_duplicates_are_counted_and_kept(tree, run, picture, encode):
    before = run(tree, near_duplicates=True)
    (tree / "again.png").write_bytes(encode(picture(3), "PNG"))  # a JPEG as 3.jpg
    after = run(tree, name="second", near_duplicates=True)
    manifests = read_json(before / MANIFEST), read_json(after / MANIFEST)
    near = [manifest["near_duplicates"] for manifest in manifests]
    assert near[1] == near[0] + 1
    used = [manifest["counts"]["train"] + manifest["counts"]["eval"] for manifest in manifests]
    assert used[1] == used[0] + 1


def test_the_manifest_tells_the_sizes_of_the_originals(tmp_path, run, picture):
    for seed in range(60):
        picture(seed, *((20, 40) if seed % 3 else (300, 300))).save(tmp_path / f"{seed}.png")
    shutil.copyfile(tmp_path / "0.png", tmp_path / "twin.png")  # left out, so not counted
    sizes = read_json(run(tmp_path) / MANIFEST)["sizes"]
    side, aspect = sizes["shorter_side"], sizes["aspect"]
    filled = [index for index, count in enumerate(side["counts"]) if count]
    assert [(side["edges"][i - 1], side["edges"][i], side["counts"][i]) for i in filled] == [
        (16, 32, 40), (256, 512, 20)
    ]  # fmt: skip
    filled = [index for index, count in enumerate(aspect["counts"]) if count]
    assert [(aspect["edges"][i - 1], aspect["edges"][i], aspect["counts"][i]) for i in filled] == [
        (0.5, 0.67, 40), (0.95, 1.05, 20)
    ]  # fmt: skip
