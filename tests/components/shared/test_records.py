import hashlib

import tensorflow as tf

from components.shared.records import Record, decode_images, load_images, write_shard

RECORDS = [
    Record("ab" * 32, "a b.jpg", bytes(range(12))),
    Record("cd" * 32, "ünï/ç.png", bytes(reversed(range(12)))),
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
            "path": record.path.encode(),
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


def test_a_split_without_pictures_is_empty(tmp_path):
    write_shard(tmp_path / "train-00000-of-00001.tfrecord", [])
    assert load_images(tmp_path, "train").shape == (0,)
