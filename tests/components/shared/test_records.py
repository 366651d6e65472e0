import hashlib
import subprocess
import sys

import pytest
import tensorflow as tf

from components.shared.errors import PipelineError
from components.shared.records import (
    Record,
    RecordReader,
    decode_images,
    load_images,
    read_images,
    read_labels,
    shard_paths,
    write_shard,
)

RECORDS = [
    Record("ab" * 32, bytes(range(12))),
    Record("cd" * 32, bytes(reversed(range(12)))),
]


def test_tensorflow_reads_what_we_write_without_it(tmp_path):
    path = tmp_path / "train-00000-of-00001.tfrecord"
    digest = write_shard(path, RECORDS)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    for serialized, record in zip(tf.data.TFRecordDataset(str(path)), RECORDS, strict=True):
        features = tf.train.Example.FromString(serialized.numpy()).features.feature
        values = {key: feature.bytes_list.value[0] for key, feature in features.items()}
        assert values == {
            "sha256": record.sha256.encode(),
            "image": record.image,
        }


def test_images_come_back_in_shard_order(tmp_path):
    for index, record in enumerate(RECORDS):
        write_shard(tmp_path / f"train-{index:05d}-of-00002.tfrecord", [record])
    write_shard(tmp_path / "eval-00000-of-00001.tfrecord", RECORDS)
    images = decode_images(load_images(tmp_path, "train"), image_size=2)
    assert images.shape == (2, 2, 2, 3)
    assert images[0].tobytes() == RECORDS[0].image
    assert images[1].tobytes() == RECORDS[1].image
    assert load_images(tmp_path, "train", limit=1).shape == (1,)


def test_labels_come_back_in_the_order_of_the_images(tmp_path):
    numbers = [3, 0, 2**31 - 1, 5, 1]
    records = [Record("ab" * 32, bytes([n % 256] * 12), n) for n in numbers]
    for index, part in enumerate([records[:3], [], records[3:]]):
        write_shard(tmp_path / f"train-{index:05d}-of-00003.tfrecord", part)
    shards = shard_paths(tmp_path, "train")
    assert [*read_labels(shards)] == numbers
    assert [*read_images(shards)] == [record.image for record in records]
    with RecordReader(shards) as reader:
        assert [reader[n] for n in range(5)] == [record.image for record in records]
    (serialized,) = tf.data.TFRecordDataset(str(shards[2])).take(1)
    parsed = tf.io.parse_single_example(serialized, {"label": tf.io.FixedLenFeature([], tf.int64)})
    assert parsed["label"] == 5


def test_a_picture_without_a_class_is_said_so(tmp_path):
    path = tmp_path / "train-00000-of-00001.tfrecord"
    write_shard(path, [RECORDS[0]._replace(label=0), RECORDS[1]])
    labels = read_labels([path])
    assert next(labels) == 0
    with pytest.raises(PipelineError, match=r"record 1 \(counted from 0\) of .* has no class: "):
        next(labels)


def test_a_split_without_pictures_is_empty(tmp_path):
    write_shard(tmp_path / "train-00000-of-00001.tfrecord", [])
    assert load_images(tmp_path, "train").shape == (0,)


def test_any_picture_is_read_by_its_number(tmp_path):
    records = [Record("ab" * 32, bytes([index] * 12)) for index in range(7)]
    for index, part in enumerate([[], records[:3], [], records[3:4], records[4:], []]):
        write_shard(tmp_path / f"train-{index:05d}-of-00006.tfrecord", part)
    in_order = list(read_images(shard_paths(tmp_path, "train")))
    assert in_order == [record.image for record in records]
    with RecordReader(shard_paths(tmp_path, "train")) as reader:
        assert len(reader) == 7
        for number in (6, 0, 3, 2, 4, 3, 5, 1):
            assert reader[number] == in_order[number]
        with pytest.raises(IndexError):
            reader[7]


def test_no_shards_hold_no_pictures():
    with RecordReader([]) as reader:
        assert len(reader) == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda shard, at: shard[: at + 40] + bytes([shard[at + 40] ^ 1]) + shard[at + 41 :],
        lambda shard, at: shard[:at] + bytes([shard[at] ^ 1]) + shard[at + 1 :],
        lambda shard, at: shard[: at + 9] + bytes([shard[at + 9] ^ 1]) + shard[at + 10 :],
        lambda shard, at: shard[:-1] + bytes([shard[-1] ^ 1]),
        lambda shard, at: shard[:-1],
        lambda shard, at: shard[: at + 13],
        lambda shard, at: shard[: at + 5],
    ],
    ids=["pixel", "length", "length's checksum", "checksum", "cut", "cut early", "cut in header"],
)
@pytest.mark.parametrize("way", ["in order", "by number", "as a tensor"])
def test_a_damaged_record_is_named(tmp_path, damage, way):
    path = tmp_path / "train-00000-of-00001.tfrecord"
    write_shard(path, RECORDS[:1])
    at = path.stat().st_size
    write_shard(path, RECORDS)
    path.write_bytes(damage(path.read_bytes(), at))
    with pytest.raises(PipelineError, match=f"record 1 .* of {path} is damaged"):
        if way == "in order":
            list(read_images([path]))
        elif way == "as a tensor":
            load_images(tmp_path, "train")
        else:
            with RecordReader([path]) as reader:
                assert reader[0] == RECORDS[0].image
                reader[1]
    if way != "by number":
        assert load_images(tmp_path, "train", limit=1).shape == (1,), "the first one is whole"


def test_a_shard_that_ends_early_is_refused_before_a_picture_is_read(tmp_path):
    path = tmp_path / "train-00000-of-00001.tfrecord"
    write_shard(path, RECORDS)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PipelineError, match=r"record 1 .* is damaged"):
        RecordReader([path])


def test_more_shards_than_a_process_may_open_at_first(tmp_path):
    for index in range(100):
        write_shard(tmp_path / f"train-{index:05d}-of-00100.tfrecord", RECORDS)
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from components.shared.records import RecordReader, shard_paths\n"
        "_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (50, hard))\n"
        "with RecordReader(shard_paths(Path(sys.argv[1]), 'train')) as reader:\n"
        "    print(len(reader), 'tensorflow' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.stdout == "200 False\n", done.stderr
