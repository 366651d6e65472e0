"""The ingest step: pictures of a source → checked, deduplicated, split TFRecord shards."""

import collections
import json
import logging
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from components.ingest.beam_pipeline import LEDGER_SUFFIX, LISTING, reports, told, write_shards
from components.ingest.config import IngestConfig
from components.ingest.manifest import make_manifest
from components.ingest.near_duplicates import count_near_duplicates, difference_hash
from components.ingest.reasons import Reason
from components.ingest.refusals import by_frequency, refuse_if_lost, refuse_if_unusable
from components.ingest.shard import SPLITS, ShardReport, rejection, shard_names
from components.ingest.source import UNREAD
from components.shared.contracts import (
    CONTACT_SHEET,
    EVAL_SPLIT,
    FILES,
    MANIFEST,
    REJECTED,
    TRAIN_SPLIT,
)
from components.shared.files import complete_or_absent, write_json
from components.shared.pictures import grid, save_png
from components.shared.records import read_images, shard_paths, write_shard
from components.shared.staging import Staging, staging_for

LOG = logging.getLogger("dcgan.ingest")

_WARNED_OF = (
    Reason.MISSING,
    Reason.ARCHIVE,
    Reason.FOLDER,
    Reason.NO_CLASS,
    Reason.TWO_CLASSES,
)
_MOST_WARNINGS = 10
_MOST_CLASSES = 10  # told of in the log
_SHEET_PICTURES = 64
_SHEET_COLUMNS = 8


def ingest(source: str, records: Path, config: IngestConfig) -> dict[str, Any]:
    """Make the folder of records that transform, train and evaluate read.

    The same pictures give the same shards to the byte, whatever their names, and in whatever
    order; under the same names, all files are the same, from a folder, a zip or a tar.

    Args:
        source: Folders, archives, patterns, manifests or buckets' prefixes, one a line.
        records: Folder to make: `train-*.tfrecord`, `eval-*.tfrecord`, `files.jsonl`,
            `rejected.jsonl`, `contact_sheet.png`, `manifest.json`. It appears whole or not at
            all.
        config: The step's configuration.

    Returns:
        The manifest.

    Raises:
        UsageError: There is no such source, or Beam's options or the staging folder are wrong.
        DataRefused: It has no picture, too many broken ones, or too few for two splits.
        PipelineError: A bucket or a worker failed midway.
    """
    with complete_or_absent(records) as folder:
        with staging_for(folder, config.staging, "ingest.staging") as staging:
            write_shards(source, staging, config)
            listing, shards = told(staging, LISTING), reports(staging)
            _fetch(staging, folder, shards, config)
        rejected = [rejection(*values[:-1]) for values in listing["other"]]
        _warn(rejected)
        with (folder / FILES).open("a", encoding="utf-8") as ledger:
            ledger.writelines(
                _lines({**line, "sha256": None, "outcome": "rejected"} for line in rejected)
            )
        rejected += [line for shard in shards.values() for line in shard.rejected]
        _warn_of_formats(rejected)
        rejected.sort(key=lambda line: line["path"])
        (folder / REJECTED).write_text("".join(_lines(rejected)), encoding="utf-8")
        manifest = make_manifest(shards, rejected, listing, config)
        refuse_if_lost(listing, manifest)
        refuse_if_unusable(source, manifest, rejected, config)
        if config.near_duplicates:
            manifest["near_duplicates"] = _count_near_duplicates(folder, config.image_size)
        _write_contact_sheet(folder, config.image_size)
        write_json(folder / MANIFEST, manifest)
    _log(manifest)
    return manifest


def _fetch(
    staging: Staging, folder: Path, shards: dict[str, ShardReport], config: IngestConfig
) -> None:
    """Bring the shards home, an empty file for each that no file fell to, and the ledger."""
    with (folder / FILES).open("wb") as ledger:
        for split in SPLITS:
            for name in shard_names(split, config):
                if name in shards:
                    staging.fetch(name, folder / name)
                    ledger.write(staging.read(name + LEDGER_SUFFIX))
                else:
                    shards[name] = ShardReport(name, sha256=write_shard(folder / name, []))


def _warn(rejected: Sequence[dict[str, Any]]) -> None:
    """Tell of what the user would expect to be there."""
    told = [line for line in rejected if line["reason"] in _WARNED_OF]
    for line in told[:_MOST_WARNINGS]:
        LOG.warning("'%s' is left out: %s", line["path"], line.get("detail", line["reason"]))
    if more := len(told[_MOST_WARNINGS:]):
        LOG.warning("%s more are left out; see %s", f"{more:,}", REJECTED)


def _warn_of_formats(rejected: Sequence[dict[str, Any]]) -> None:
    """Tell how many pictures are of a format that is not read, by name or by content."""
    unread = [line for line in rejected if line["reason"] == Reason.FORMAT]
    if not unread:
        return
    formats = collections.Counter(
        PurePath(line["path"]).suffix.lower()
        if line["detail"] == UNREAD
        else line["detail"].partition(":")[0]
        for line in unread
    )
    LOG.warning(
        "%s files are left out, for their format is not read (%s): convert them to JPEG or PNG",
        f"{len(unread):,}",
        by_frequency(formats),
    )


def _lines(values: Iterable[dict[str, Any]]) -> Iterable[str]:
    return (json.dumps(value) + "\n" for value in values)


def _count_near_duplicates(folder: Path, image_size: int) -> int:
    shards = [path for split in SPLITS for path in shard_paths(folder, split)]
    return count_near_duplicates(
        difference_hash(np.frombuffer(image, np.uint8).reshape(image_size, image_size, 3))
        for image in read_images(shards)
    )


def _write_contact_sheet(folder: Path, image_size: int) -> None:
    """Show training pictures, as many of each shard."""
    shards = shard_paths(folder, TRAIN_SPLIT)
    each = -(-_SHEET_PICTURES // len(shards))
    chosen = [image for shard in shards for image in islice(read_images([shard]), each)]
    pixels = np.frombuffer(b"".join(chosen[:_SHEET_PICTURES]), np.uint8)
    pictures = pixels.reshape(-1, image_size, image_size, 3)
    save_png(folder / CONTACT_SHEET, grid(pictures, _SHEET_COLUMNS))


def _log(manifest: dict[str, Any]) -> None:
    counts = manifest["counts"]
    LOG.info(
        "%s files: %s train, %s eval, %s duplicates, %s rejected",
        *(f"{counts[key]:,}" for key in ("seen", TRAIN_SPLIT, EVAL_SPLIT, "duplicate", "rejected")),
    )
    if manifest["classes"]:
        sizes = {one["name"]: one[TRAIN_SPLIT] for one in manifest["classes"]}
        told = by_frequency(dict(collections.Counter(sizes).most_common(_MOST_CLASSES)))
        LOG.info(
            "%s classes, of %s to %s pictures to train on: %s%s",
            f"{len(sizes):,}",
            *(f"{count:,}" for count in (min(sizes.values()), max(sizes.values()))),
            told,
            ", …" if len(sizes) > _MOST_CLASSES else "",
        )
    if manifest["unfinished"]:
        LOG.info("%s pictures lack the end of their file, but no pixel", manifest["unfinished"])
    if counts["rejected"]:
        LOG.info(
            "rejected %s: %s; see %s",
            f"{counts['rejected']:,}",
            by_frequency(manifest["rejected_by_reason"]),
            REJECTED,
        )
