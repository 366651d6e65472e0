"""Records of pictures: tf.train.Example in TFRecord files.

Writing needs no TensorFlow, so that ingest starts fast and its image stays small:
protobuf encodes a message with the fields of tf.train.Example, and the framing is
that of TFRecord (https://www.tensorflow.org/tutorials/load_data/tfrecord,
"TFRecords format details"). Reading needs none either: TensorFlow reads a TFRecord file
from its beginning only, and training wants any picture of any shard.
"""

import contextlib
import hashlib
import itertools
import os
import resource
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Self

import google_crc32c
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from components.shared.contracts import IMAGE, LABEL, SHA256
from components.shared.errors import PipelineError

if TYPE_CHECKING:
    import tensorflow as tf

_HEADER_BYTES = 12  # of a frame: the payload's length and its checksum
_CRC_BYTES = 4  # after the payload
_OTHER_FILES = 256  # that a process may want open beside the shards
_SHARDS_AT_ONCE = 16  # while the index is made: a network disk's latency, not its width, counts


class Record(NamedTuple):
    """One picture on its way into a shard."""

    sha256: str  # hexadecimal, of the original file's bytes
    image: bytes  # raw uint8 pixels, row by row, RGB
    label: int | None = None  # number of its class; None without classes


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


def read_images(shards: Iterable[Path]) -> Iterator[bytes]:
    """Read shards from their beginning, one picture after the other.

    Yields:
        The H·W·3 bytes of a picture.

    Raises:
        PipelineError: A record is damaged.
    """
    for framed, path, number in _framed(shards):
        yield _image(framed, path, number)


def read_labels(shards: Iterable[Path]) -> Iterator[int]:
    """Read the class of each picture of some shards.

    Raises:
        PipelineError: A record is damaged, or has no class.
    """
    for framed, path, number in _framed(shards):
        features = _features(framed, path, number)
        if LABEL not in features:
            raise PipelineError(
                f"record {number:,} (counted from 0) of {path} has no class: ingest the "
                "pictures again with ingest.labels=folders"
            )
        yield features[LABEL].int64_list.value[0]


def _framed(shards: Iterable[Path]) -> Iterator[tuple[bytes, Path, int]]:
    """Payload and checksum of each record, the shard, and the record's number in it."""
    for path in shards:
        with path.open("rb") as file:
            for number, (start, length) in enumerate(_frames(file, path)):
                yield os.pread(file.fileno(), length + _CRC_BYTES, start), path, number


class RecordReader:
    """The pictures of some shards, each read from its file when it is asked for.

    Holds open files and 8 bytes a picture. Threads may share it.
    """

    def __init__(self, shards: Iterable[Path]) -> None:
        """Open the shards and find where each record starts, from the frames' headers.

        Raises:
            PipelineError: A header is damaged, or a file ends within a record.
        """
        self._paths = list(shards)
        _allow_open_files(len(self._paths) + _OTHER_FILES)
        with contextlib.ExitStack() as opened:
            self._files = [opened.enter_context(path.open("rb")) for path in self._paths]
            with ThreadPoolExecutor(_SHARDS_AT_ONCE) as pool:
                self._starts = list(pool.map(_payload_starts, self._files, self._paths))
            self._close = opened.pop_all().close
        ends = list(itertools.accumulate(len(starts) - 1 for starts in self._starts))
        self._first_numbers = [0, *ends[:-1]]
        self._count = ends[-1] if ends else 0

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self._close()

    def __len__(self) -> int:
        """How many pictures there are."""
        return self._count

    def __getitem__(self, number: int) -> bytes:
        """Read one picture, by its number (from 0) in shard order: its H·W·3 bytes.

        Raises:
            PipelineError: The record is damaged.
        """
        shard = bisect_right(self._first_numbers, number) - 1
        record = number - self._first_numbers[shard]
        start = self._starts[shard][record]
        length = self._starts[shard][record + 1] - _HEADER_BYTES - start
        framed = os.pread(self._files[shard].fileno(), length, start)
        return _image(framed, self._paths[shard], record)


def load_images(records: Path, split: str, limit: int | None = None) -> "tf.Tensor":
    """Load the raw pixels of a split into memory.

    Returns:
        String tensor [N]: element i holds the H·W·3 bytes of picture i, in shard
        order; N ≤ `limit` where that is given.

    Raises:
        PipelineError: A record is damaged.
    """
    import tensorflow as tf

    images = list(itertools.islice(read_images(shard_paths(records, split)), limit))
    return tf.constant(images, tf.string)


def decode_images(images: "tf.Tensor", image_size: int) -> np.ndarray:
    """Turn what `load_images` returns into uint8 [N, image_size, image_size, 3]."""
    pixels = np.frombuffer(b"".join(images.numpy()), np.uint8)
    return pixels.reshape(-1, image_size, image_size, 3)


def _frames(file: BinaryIO, path: Path) -> Iterator[tuple[int, int]]:
    """Walk a shard from header to header: where each payload starts, and its length."""
    descriptor = file.fileno()
    size = os.fstat(descriptor).st_size
    start = number = 0
    while start < size:
        header = os.pread(descriptor, _HEADER_BYTES, start)
        if len(header) < _HEADER_BYTES or _masked_crc(header[:8]) != header[8:]:
            raise _damaged(path, number)
        length = int.from_bytes(header[:8], "little")
        start += _HEADER_BYTES
        if start + length + _CRC_BYTES > size:
            raise _damaged(path, number)
        yield start, length
        start += length + _CRC_BYTES
        number += 1


def _allow_open_files(count: int) -> None:
    """Raise this process's limit, which is often 1,024, towards what its user may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _payload_starts(file: BinaryIO, path: Path) -> "array[int]":
    """Where each payload of a shard starts, and where one more would."""
    starts = array("q", [_HEADER_BYTES])
    for start, length in _frames(file, path):
        starts.append(start + length + _CRC_BYTES + _HEADER_BYTES)
    return starts


def _image(framed: bytes, path: Path, number: int) -> bytes:
    """Check a payload with the checksum behind it and take the picture out."""
    image: bytes = _features(framed, path, number)[IMAGE].bytes_list.value[0]
    return image


def _features(framed: bytes, path: Path, number: int) -> Any:
    payload = framed[:-_CRC_BYTES]
    if _masked_crc(payload) != framed[-_CRC_BYTES:]:
        raise _damaged(path, number)
    return _EXAMPLE.FromString(payload).features.feature


def _damaged(path: Path, number: int) -> PipelineError:
    return PipelineError(
        f"record {number:,} (counted from 0) of {path} is damaged or cut short: "
        "ingest the pictures again"
    )


def _frame(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return b"".join((length, _masked_crc(length), payload, _masked_crc(payload)))


def _masked_crc(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return struct.pack("<I", masked)


def _encode(record: Record) -> bytes:
    example = _EXAMPLE()
    values = {IMAGE: record.image, SHA256: record.sha256.encode()}
    for key, value in values.items():
        example.features.feature[key].bytes_list.value.append(value)
    if record.label is not None:
        example.features.feature[LABEL].int64_list.value.append(record.label)
    encoded: bytes = example.SerializeToString(deterministic=True)
    return encoded


def _example_class() -> Any:
    """Message class with the wire format of tf.train.Example, without its floats."""
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
    message("Int64List", "value", field.LABEL_REPEATED, field.TYPE_INT64)
    one, many, nested = field.LABEL_OPTIONAL, field.LABEL_REPEATED, field.TYPE_MESSAGE
    feature = message("Feature", "bytes_list", one, nested, ".dcgan.BytesList")
    feature.field.add(
        name="int64_list", number=3, label=one, type=nested, type_name=".dcgan.Int64List"
    )
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
