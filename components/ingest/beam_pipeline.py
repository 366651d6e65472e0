"""The Beam side of ingest, in a module of its own so that workers can import it.

    list → chunks ─ Reshuffle ─ read and check ─ GroupByKey ─ deduplicate, sort, write

The key is a shard's name, which follows from the SHA-256 of a file's bytes. So the one
GroupByKey brings duplicates together, splits, and leads to shards whose bytes depend on
the pictures alone. The listing goes through a DoFn, since a graph that holds a million
paths is too large to submit.

What goes through the GroupByKey is the smaller of a file's bytes and its pixels, for it
is all held in memory: 21,551 JPEGs of 256×256 took 0.5 GB this way, 16 GB as pixels,
and large photographs as files would take as much as they do on disk.
"""

import dataclasses
import hashlib
import logging
import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from components.ingest.config import IngestConfig
from components.ingest.decode import decode
from components.ingest.reasons import Rejected
from components.ingest.sources import Entry, Source, open_source
from components.shared.contracts import EVAL_SPLIT, TRAIN_SPLIT
from components.shared.errors import PipelineError
from components.shared.records import Record, write_shard

# Beam logs the traceback of each error that it raises, even of one meant for the user.
logging.getLogger("apache_beam.runners.common").setLevel(logging.CRITICAL)

_CHUNK_FILES = 256
_CHUNK_BYTES = 32 << 20

# SHA-256, path, size in bytes, content, why it is rejected ("": it is not, so far).
# The content is the file's, or the raw pixels where the file is larger than those.
_File = tuple[str, str, int, bytes, str]


@dataclasses.dataclass
class Shard:
    """What became of the files of one group."""

    name: str
    sha256: str = ""  # of the shard
    images: int = 0
    duplicates: int = 0
    rejected: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # rejected.jsonl
    sample: list[bytes] = dataclasses.field(default_factory=list)  # pixels of the first ones

    def reject(self, path: str, reason: str, size: int) -> None:
        """Set a file aside."""
        self.rejected.append({"path": path, "reason": reason, "bytes": size})


def write_shards(
    source: str, folder: Path, scratch: Path, config: IngestConfig, sample: int
) -> tuple[int, dict[str, Shard]]:
    """Write every shard that has a picture or a rejected file.

    Args:
        source: A folder, a zip or a tar.
        folder: Where the shards go.
        scratch: An empty folder, for what workers have to tell.
        config: The step's configuration.
        sample: How many pictures of a shard to hand back.

    Returns:
        How many files are not named as pictures, and the shards by name.
    """
    try:
        # FnApiRunner by name: DirectRunner looks for Prism in the net, and may hang.
        # No options: Beam would take them from the command line of our own program.
        with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as pipeline:
            _ = (
                pipeline
                | beam.Create([source])
                | "List" >> beam.ParDo(_List(scratch, config.max_images or None))
                | beam.Reshuffle()
                | "Read" >> beam.ParDo(_Read(source, config)).with_output_types(tuple[str, _File])
                | beam.GroupByKey()
                | "Write" >> beam.ParDo(_Write(folder, scratch, config, sample))
            )
    except Exception as error:
        # Beam raises its own error, without the errno, while it handles a worker's.
        if isinstance(error.__context__, OSError | PipelineError):
            raise error.__context__ from None
        raise
    told = [pickle.loads(path.read_bytes()) for path in sorted(scratch.iterdir())]
    shards = {each.name: each for each in told if isinstance(each, Shard)}
    return sum(each for each in told if isinstance(each, int)), shards


def shard_name(split: str, index: int, shards: int) -> str:
    """File name of a shard, e.g. ``train-00000-of-00004.tfrecord``."""
    return f"{split}-{index:05d}-of-{shards:05d}.tfrecord"


def shard_of(sha256: str, config: IngestConfig) -> str:
    """Shard of a file; other files have no say, so new ones move none to another split."""
    share, index = int(sha256[:16], 16) / 2**64, int(sha256[16:32], 16) % config.shards
    split = EVAL_SPLIT if share < config.eval_share else TRAIN_SPLIT
    return shard_name(split, index, config.shards)


class _List(beam.DoFn):
    """Source → chunks of its pictures; tells the number of other files."""

    def __init__(self, scratch: Path, max_images: int | None) -> None:
        self._scratch, self._max_images = scratch, max_images

    def process(self, source: str) -> Iterator[list[Entry]]:
        with open_source(source) as opened:
            listing, in_order = opened.list(), opened.in_order
        _tell(self._scratch, "other", listing.other)
        pictures = listing.pictures[: self._max_images]
        if in_order and pictures:
            yield sorted(pictures, key=lambda entry: entry.where[0])
        elif pictures:
            yield from _chunks(pictures)


def _chunks(entries: list[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        if chunk and (len(chunk) == _CHUNK_FILES or size + entry.size > _CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += entry.size
    yield chunk


class _Read(beam.DoFn):
    """Chunk → (shard's name, file) of each picture."""

    def __init__(self, source: str, config: IngestConfig) -> None:
        self._source, self._config = source, config

    def setup(self) -> None:
        self._opened: Source = open_source(self._source)

    def teardown(self) -> None:
        self._opened.close()

    def process(self, chunk: list[Entry]) -> Iterator[tuple[str, _File]]:
        for entry in chunk:
            file = self._file(entry)
            yield shard_of(file[0], self._config), file

    def _file(self, entry: Entry) -> _File:
        try:
            content = self._opened.read(entry)
        except Rejected as rejected:
            return hashlib.sha256().hexdigest(), entry.path, entry.size, b"", rejected.reason.value
        sha256, size, reason = hashlib.sha256(content).hexdigest(), len(content), ""
        if _travels_as_pixels(size, self._config):
            try:
                content = decode(content, self._config.image_size).tobytes()
            except Rejected as rejected:
                content, reason = b"", rejected.reason.value
        return sha256, entry.path, size, content, reason


def _travels_as_pixels(size: int, config: IngestConfig) -> bool:
    return size > config.image_size**2 * 3


class _Write(beam.DoFn):
    """(Shard's name, its files) → the shard; tells what it holds."""

    def __init__(self, folder: Path, scratch: Path, config: IngestConfig, sample: int) -> None:
        self._folder, self._scratch, self._config = folder, scratch, config
        self._sample = sample

    def process(self, group: tuple[str, Iterable[_File]]) -> None:
        name, files = group
        shard = Shard(name)
        shard.sha256 = write_shard(self._folder / name, self._records(files, shard))
        _tell(self._scratch, name, shard)

    def _records(self, files: Iterable[_File], shard: Shard) -> Iterator[Record]:
        """Yield the pictures by SHA-256, and count them and the others in `shard`."""
        last = ""
        for sha256, path, size, content, reason in sorted(files):
            if reason:
                shard.reject(path, reason, size)
            elif sha256 == last:
                shard.duplicates += 1  # of the same bytes under a smaller path
            else:
                try:
                    pixels = self._pixels(content, size)
                except Rejected as rejected:
                    shard.reject(path, rejected.reason.value, size)
                    continue
                last = sha256
                shard.images += 1
                if shard.images <= self._sample:
                    shard.sample.append(pixels)
                yield Record(sha256, path, pixels)

    def _pixels(self, content: bytes, size: int) -> bytes:
        if _travels_as_pixels(size, self._config):
            return content
        return decode(content, self._config.image_size).tobytes()


def _tell(scratch: Path, name: str, value: Any) -> None:
    (scratch / name).write_bytes(pickle.dumps(value))
