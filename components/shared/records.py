"""Records of pictures: tf.train.Example in TFRecord files.

Writing needs no TensorFlow, so that ingest starts fast and its image stays small:
protobuf encodes a message with the fields of tf.train.Example, and the framing is
that of TFRecord (https://www.tensorflow.org/tutorials/load_data/tfrecord,
"TFRecords format details"). Reading is left to TensorFlow.
"""

import hashlib
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import google_crc32c
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from components.shared.contracts import IMAGE, PATH, SHA256

if TYPE_CHECKING:
    import tensorflow as tf


class Record(NamedTuple):
    """One picture on its way into a shard."""

    sha256: str  # hexadecimal, of the original file's bytes
    path: str  # relative to the source's root
    image: bytes  # raw uint8 pixels, row by row, RGB


def write_shard(path: Path, records: Iterable[Record]) -> str:
    """Write one TFRecord file and return its SHA-256 in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for record in records:
            framed = _frame(_encode(record))
            digest.update(framed)
            file.write(framed)
    return digest.hexdigest()


def shard_paths(records: Path, split: str) -> list[Path]:
    """Shards of one split, in the order in which they are read."""
    return sorted(records.glob(f"{split}-*.tfrecord"))


def load_images(records: Path, split: str, limit: int | None = None) -> "tf.Tensor":
    """Load the raw pixels of a split into memory.

    Returns:
        String tensor [N]: element i holds the H·W·3 bytes of picture i, in shard
        order; N ≤ `limit` where that is given.
    """
    import tensorflow as tf

    spec = {IMAGE: tf.io.FixedLenFeature([], tf.string)}
    dataset = tf.data.TFRecordDataset([str(path) for path in shard_paths(records, split)])
    dataset = dataset.take(-1 if limit is None else limit).batch(1024)
    batches = [tf.io.parse_example(batch, spec)[IMAGE] for batch in dataset]
    return tf.concat(batches, axis=0) if batches else tf.zeros([0], tf.string)


def decode_images(images: "tf.Tensor", image_size: int) -> np.ndarray:
    """Turn what `load_images` returns into uint8 [N, image_size, image_size, 3]."""
    pixels = np.frombuffer(b"".join(images.numpy()), np.uint8)
    return pixels.reshape(-1, image_size, image_size, 3)


def _frame(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return b"".join((length, _masked_crc(length), payload, _masked_crc(payload)))


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)


def _encode(record: Record) -> bytes:
    example = _EXAMPLE()
    values = {IMAGE: record.image, PATH: record.path.encode(), SHA256: record.sha256.encode()}
    for key, value in values.items():
        example.features.feature[key].bytes_list.value.append(value)
    encoded: bytes = example.SerializeToString(deterministic=True)
    return encoded


def _example_class() -> Any:
    """Message class with the wire format of tf.train.Example, bytes features only."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="example.proto", package="dcgan", syntax="proto3"
    )

    def message(
        name: str, field_name: str, label: int, kind: int, type_name: str | None = None
    ) -> Any:
        added = file.message_type.add(name=name)
        added.field.add(name=field_name, number=1, label=label, type=kind, type_name=type_name)
        return added

    message("BytesList", "value", field.LABEL_REPEATED, field.TYPE_BYTES)
    one, many, nested = field.LABEL_OPTIONAL, field.LABEL_REPEATED, field.TYPE_MESSAGE
    message("Feature", "bytes_list", one, nested, ".dcgan.BytesList")
    features = message("Features", "feature", many, nested, ".dcgan.Features.FeatureEntry")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=one, type=field.TYPE_STRING)
    entry.field.add(name="value", number=2, label=one, type=nested, type_name=".dcgan.Feature")
    message("Example", "features", one, nested, ".dcgan.Features")

    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("dcgan.Example"))


_EXAMPLE = _example_class()
