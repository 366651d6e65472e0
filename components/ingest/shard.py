"""A shard of records: which files belong to it, and what becomes of each."""

import dataclasses
import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from components.ingest.config import IngestConfig
from components.ingest.reasons import Reason
from components.ingest.seen_file import SeenFile
from components.ingest.spill import PlaceOfPixels
from components.shared.contracts import EVAL_SPLIT, TRAIN_SPLIT
from components.shared.records import Record, write_shard

# Inner boundaries of the histograms; their first and last bins are open.
SIDE_EDGES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)  # pixels, of the shorter side
ASPECT_EDGES = (0.5, 0.67, 0.8, 0.95, 1.05, 1.25, 1.5, 2.0)  # width / height

SPLITS = (TRAIN_SPLIT, EVAL_SPLIT)

_NO_CONTENT = hashlib.sha256().digest()


@dataclasses.dataclass
class ShardReport:
    """What a worker tells of a shard; JSON holds it."""

    name: str
    sha256: str = ""  # of the shard
    images: int = 0
    duplicates: int = 0
    unfinished: int = 0  # of the images, those whose file lacks its end
    rejected: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # rejected.jsonl
    images_by_label: dict[str, int] = dataclasses.field(default_factory=dict)  # JSON's keys: text
    rejected_by_label: dict[str, int] = dataclasses.field(default_factory=dict)
    shorter_side: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(SIDE_EDGES) + 1))
    aspect: list[int] = dataclasses.field(default_factory=lambda: [0] * (len(ASPECT_EDGES) + 1))

    def count_size(self, file: SeenFile) -> None:
        """Add a picture to the histograms of sizes."""
        self.shorter_side[bisect_right(SIDE_EDGES, min(file.width, file.height))] += 1
        self.aspect[bisect_right(ASPECT_EDGES, file.width / file.height)] += 1


def shard_name(split: str, index: int, shards: int) -> str:
    """File name of a shard, e.g. ``train-00000-of-00004.tfrecord``."""
    return f"{split}-{index:05d}-of-{shards:05d}.tfrecord"


def shard_names(split: str, config: IngestConfig) -> list[str]:
    """All shards of a split, in order."""
    return [shard_name(split, index, config.shards) for index in range(config.shards)]


def rejection(path: str, size: int, reason: str, detail: str = "") -> dict[str, Any]:
    """A line of `rejected.jsonl`."""
    line = {"path": path, "bytes": size, "reason": reason}
    return {**line, "detail": detail} if detail else line


def shard_of(sha256: bytes, config: IngestConfig) -> str:
    """Shard of a file; other files have no say, so new ones move none to another split."""
    sha256 = sha256 or _NO_CONTENT
    share = int.from_bytes(sha256[:8]) / 2**64
    index = int.from_bytes(sha256[8:16]) % config.shards
    split = EVAL_SPLIT if share < config.eval_share else TRAIN_SPLIT
    return shard_name(split, index, config.shards)


def write_records(
    path: Path,
    ledger: Path,
    name: str,
    files: Iterable[tuple[SeenFile, PlaceOfPixels]],
    pixels: Callable[[PlaceOfPixels], bytes],
) -> ShardReport:
    """Write the shard's records by SHA-256, and a line for each file into the ledger.

    Args:
        path: Shard to write.
        ledger: JSON lines to write: path, bytes, SHA-256 and outcome of each file.
        name: The shard's.
        files: All that belong to it, sorted, each with where its pixels wait; of the same
            content, the smallest path stays, and none where they are of several classes.
        pixels: Reads those of a picture.

    Returns:
        What became of the files.
    """
    report = ShardReport(name)
    split = name.partition("-")[0]

    def records() -> Iterator[Record]:
        last = b""
        for file, place in _none_of_two_classes(files):
            if file.reason:
                rejected = rejection(file.path, file.size, file.reason, file.detail)
                outcome = {"outcome": "rejected", **rejected}
                report.rejected.append(rejected)
                _count(report.rejected_by_label, file)
            elif file.sha256 == last:
                outcome = {"outcome": "duplicate"}
                report.duplicates += 1
            else:
                outcome = {"outcome": split}
                last = file.sha256
                report.images += 1
                report.unfinished += file.unfinished
                report.count_size(file)
                _count(report.images_by_label, file)
                yield Record(file.sha256.hex(), pixels(place), file.label)
            sha256 = file.sha256.hex() or None
            line = {"path": file.path, "bytes": file.size, "sha256": sha256, **outcome}
            lines.write(json.dumps(line) + "\n")

    with ledger.open("w", encoding="utf-8") as lines:
        report.sha256 = write_shard(path, records())
    return report


def _none_of_two_classes(
    files: Iterable[tuple[SeenFile, PlaceOfPixels]],
) -> Iterator[tuple[SeenFile, PlaceOfPixels]]:
    """Reject what lies in several classes' folders: which is right, only a person can say."""
    for _, same in groupby(files, key=lambda pair: pair[0].sha256):
        copies = [*same]
        by_label = {file.label: file.path for file, _ in reversed(copies)}
        for file, place in copies:
            if len(by_label) == 1 or file.reason:
                yield file, place
                continue
            other = next(path for label, path in by_label.items() if label != file.label)
            detail = f"in another class, too: '{other}'"
            yield file._replace(reason=Reason.TWO_CLASSES, detail=detail), place


def _count(by_label: dict[str, int], file: SeenFile) -> None:
    if file.label is not None:
        by_label[str(file.label)] = by_label.get(str(file.label), 0) + 1
