"""The Beam side of ingest, in a module of its own so that workers can import it.

    list → chunks ─ Reshuffle ─ read and check ─ GroupByKey ─ deduplicate, sort, write

The key is a shard's name, which follows from the SHA-256 of a file's bytes. So the one
GroupByKey brings duplicates together, splits, and leads to shards whose bytes depend on
the pictures alone. The listing goes through a DoFn, since a graph that holds a million
paths is too large to submit; the Reshuffle spreads its chunks over a cluster's workers.

On one machine pixels and what is known of the files wait in a spill file meanwhile, for
FnApiRunner holds in memory all that goes through the GroupByKey. On a cluster they go through it:
its workers share no disk.
"""

import dataclasses
import json
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import apache_beam as beam

from components.ingest.config import IngestConfig
from components.ingest.reasons import Rejected
from components.ingest.refusals import list_pictures
from components.ingest.seen_file import SeenFile, see
from components.ingest.shard import ShardReport, shard_of, write_records
from components.ingest.source import Entry
from components.ingest.sources import open_source
from components.ingest.spill import PlaceOfPixels, Spill, SpillReader
from components.shared.beam_runner import beam_pipeline
from components.shared.errors import UsageError
from components.shared.staging import Staging

LEDGER_SUFFIX = ".jsonl"
REPORT_SUFFIX = ".json"
LISTING = "listing" + REPORT_SUFFIX

_CHUNK_FILES = 256
_CHUNK_BYTES = 32 << 20
_FILES_A_TASK = 16  # of a chunk, for a thread; handing over one by one costs as much as decoding

# A chunk's files that fall to one shard: the spill file, if any; where in it their pickled rows
# begin, or the rows themselves; their length. A row is a SeenFile and where its pixels begin, or
# the pixels themselves.
_Batch = tuple[str, int | bytes, int]


def write_shards(images: str, staging: Staging, config: IngestConfig) -> None:
    """Write every shard that has a file, its ledger and its report; and the listing's report.

    Args:
        images: The sources, as `open_source` takes them.
        staging: An empty folder, for all that workers write.
        config: The step's configuration.
    """
    spill_folder = None if config.beam_options else staging.root
    with beam_pipeline(config.beam_options, "ingest") as pipeline:
        _ = (
            pipeline
            | beam.Create([images])
            | "List" >> beam.ParDo(_List(staging, config))
            | beam.Reshuffle()
            | "Read" >> beam.ParDo(_Read(images, spill_folder, config))
            | beam.GroupByKey()
            | "Write" >> beam.ParDo(_Write(staging, config))
        )


class _List(beam.DoFn):
    """Sources → chunks of their pictures; tells how many, and of the files that are none."""

    def __init__(self, staging: Staging, config: IngestConfig) -> None:
        self._staging, self._config = staging, config

    def process(self, images: str) -> Iterator[list[tuple[Any, ...]]]:
        with open_source(images) as opened:
            listing, in_order = list_pictures(images, opened, self._config), opened.in_order
        pictures = listing.pictures
        _tell(self._staging, LISTING, {**listing._asdict(), "pictures": len(pictures)})
        if in_order and pictures:
            yield _plain(sorted(pictures, key=lambda entry: entry.where))
        elif pictures:
            yield from map(_plain, _chunks(pictures))


def _plain(entries: Iterable[Entry]) -> list[tuple[Any, ...]]:
    """Tuples that Beam's coders know; it would pickle each entry, with its class."""
    return [tuple(entry._replace(problem=None)) for entry in entries]  # none is known of any


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        if chunk and (len(chunk) == _CHUNK_FILES or size + entry.size > _CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(entry)
        size += entry.size
    yield chunk


@beam.typehints.with_output_types(tuple[str, _Batch])
class _Read(beam.DoFn):
    """Chunk → (shard's name, its files in this chunk)."""

    def __init__(self, images: str, spill_folder: str | None, config: IngestConfig) -> None:
        self._images, self._spill_folder, self._config = images, spill_folder, config

    def setup(self) -> None:
        self._opened = open_source(self._images)
        self._spill = Spill(self._spill_folder) if self._spill_folder else None
        self._threads = ThreadPoolExecutor(os.cpu_count())

    def teardown(self) -> None:
        self._threads.shutdown()
        if self._spill:
            self._spill.close()
        self._opened.close()

    def process(self, chunk: list[tuple[Any, ...]]) -> Iterator[tuple[str, _Batch]]:
        entries = (Entry(*values) for values in chunk)
        for part in _chunks(entries):  # a chunk that must be read in order holds all
            seen = self._see(part)
            files, pixels = zip(*seen, strict=True)
            by_shard: dict[str, list[tuple[Any, ...]]] = {}
            for file, place in zip(files, self._put_down(pixels), strict=True):
                rows = by_shard.setdefault(shard_of(file.sha256, self._config), [])
                rows.append((*file, place))
            pickled = [pickle.dumps(rows) for rows in by_shard.values()]
            spill_path = self._spill.path if self._spill else ""
            places = self._put_down(pickled)
            for name, place, batch in zip(by_shard, places, pickled, strict=True):
                yield name, (spill_path, place, len(batch))

    def _put_down(self, items: Sequence[bytes]) -> Sequence[int | bytes]:
        """Where they are in the spill file; without one, they themselves."""
        return self._spill.append(items) if self._spill else items

    def _see(self, entries: list[Entry]) -> list[tuple[SeenFile, bytes]]:
        """Decode in threads, for decoders let go of the interpreter; reading goes on meanwhile."""
        parts = [
            entries[start : start + _FILES_A_TASK]
            for start in range(0, len(entries), _FILES_A_TASK)
        ]
        contents = self._opened.read(entries)
        tasks = [
            self._threads.submit(_see_all, part, [*islice(contents, len(part))], self._config)
            for part in parts
        ]
        return [each for task in tasks for each in task.result()]


def _see_all(
    entries: Sequence[Entry], contents: Sequence[bytes | Rejected], config: IngestConfig
) -> list[tuple[SeenFile, bytes]]:
    return [see(*each, config) for each in zip(entries, contents, strict=True)]


class _Write(beam.DoFn):
    """(Shard's name, its files) → the shard, its ledger and its report."""

    def __init__(self, staging: Staging, config: IngestConfig) -> None:
        self._staging, self._size = staging, config.image_size**2 * 3

    def setup(self) -> None:
        self._spilled = SpillReader()

    def teardown(self) -> None:
        self._spilled.close()

    def process(self, group: tuple[str, Iterable[_Batch]]) -> None:
        name, batches = group
        rows = sorted(
            (*row[:-1], spill_path, row[-1])
            for spill_path, at, size in batches
            for row in pickle.loads(self._spilled.read(spill_path, at, size))
        )
        files = ((SeenFile(*row[:-2]), PlaceOfPixels(*row[-2:])) for row in rows)
        with (
            self._staging.create(name) as shard,
            self._staging.create(name + LEDGER_SUFFIX) as ledger,
        ):
            report = write_records(shard, ledger, name, files, self._pixels)
        _tell(self._staging, name + REPORT_SUFFIX, dataclasses.asdict(report))

    def _pixels(self, place: PlaceOfPixels) -> bytes:
        return self._spilled.read(*place, self._size)


def _tell(staging: Staging, name: str, value: dict[str, Any]) -> None:
    with staging.create(name) as path:
        path.write_text(json.dumps(value), encoding="utf-8")


def told(staging: Staging, name: str) -> dict[str, Any]:
    """What a worker told.

    Raises:
        UsageError: It told it elsewhere.
    """
    try:
        values: dict[str, Any] = json.loads(staging.read(name))
    except FileNotFoundError as error:
        raise UsageError(
            f"ingest.staging: Beam's workers wrote nothing that this machine sees in "
            f"'{staging.root}': name a folder, gs://bucket/prefix or s3://bucket/prefix that all "
            "of them and this machine reach"
        ) from error
    return values


def reports(staging: Staging) -> dict[str, ShardReport]:
    """What became of the files, by shard."""
    names = [name for name in staging.names() if name.endswith(".tfrecord" + REPORT_SUFFIX)]
    return {name.removesuffix(REPORT_SUFFIX): ShardReport(**told(staging, name)) for name in names}
