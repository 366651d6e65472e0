"""The ingest step: pictures of a source → checked, deduplicated, split TFRecord shards."""

import collections
import json
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from components.ingest.beam_pipeline import Shard, shard_name, write_shards
from components.ingest.config import IngestConfig
from components.ingest.sources import PICTURE_SUFFIXES
from components.shared.contracts import (
    CONTACT_SHEET,
    EVAL_SPLIT,
    MANIFEST,
    REJECTED,
    TRAIN_SPLIT,
)
from components.shared.errors import DataRefused
from components.shared.files import complete_or_absent, digest_of, write_json
from components.shared.pictures import grid, save_png
from components.shared.records import write_shard

LOG = logging.getLogger("dcgan.ingest")

_SHEET_PICTURES = 64
_SHEET_COLUMNS = 8
_SPLITS = (TRAIN_SPLIT, EVAL_SPLIT)


def ingest(source: str, records: Path, config: IngestConfig) -> dict[str, Any]:
    """Make the folder of records that transform, train and evaluate read.

    The same pictures under the same paths give the same files to the byte, whether they
    lie in a folder, a zip or a tar, and in whatever order.

    Args:
        source: A folder, a zip or a tar.
        records: Folder to make: `train-*.tfrecord`, `eval-*.tfrecord`, `rejected.jsonl`,
            `contact_sheet.png`, `manifest.json`. It appears whole or not at all.
        config: The step's configuration.

    Returns:
        The manifest.

    Raises:
        UsageError: There is no such source.
        DataRefused: It has no picture, too many broken ones, or too few for two splits.
    """
    with complete_or_absent(records) as folder:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            sample = -(-_SHEET_PICTURES // config.shards)
            other, written = write_shards(source, folder, Path(scratch), config, sample)
        splits = {split: _all_shards(folder, split, written, config) for split in _SPLITS}
        rejected = sorted(
            (line for shard in written.values() for line in shard.rejected),
            key=lambda line: line["path"],
        )
        manifest = _manifest(splits, rejected, other, config)
        _refuse_if_unusable(source, manifest, rejected, config)
        lines = (json.dumps(line) + "\n" for line in rejected)
        (folder / REJECTED).write_text("".join(lines))
        _write_contact_sheet(folder / CONTACT_SHEET, splits[TRAIN_SPLIT], config.image_size)
        write_json(folder / MANIFEST, manifest)
    _log(manifest)
    return manifest


def _all_shards(
    folder: Path, split: str, written: Mapping[str, Shard], config: IngestConfig
) -> list[Shard]:
    """Shards of a split in order, with an empty file for each that got no picture."""
    shards = []
    for index in range(config.shards):
        name = shard_name(split, index, config.shards)
        shards.append(written.get(name) or Shard(name, sha256=write_shard(folder / name, [])))
    return shards


def _manifest(
    splits: Mapping[str, list[Shard]],
    rejected: list[dict[str, Any]],
    other: int,
    config: IngestConfig,
) -> dict[str, Any]:
    images = {split: sum(shard.images for shard in shards) for split, shards in splits.items()}
    every = [shard for shards in splits.values() for shard in shards]
    duplicate = sum(shard.duplicates for shard in every)
    return {
        "config": config.model_dump(mode="json"),
        "image_size": config.image_size,
        "counts": {
            **images,
            "duplicate": duplicate,
            "rejected": len(rejected),
            "seen": sum(images.values()) + duplicate + len(rejected),
            "other": other,
        },
        "rejected_by_reason": dict(collections.Counter(line["reason"] for line in rejected)),
        "shards": {
            split: [
                {"name": shard.name, "images": shard.images, "sha256": shard.sha256}
                for shard in shards
            ]
            for split, shards in splits.items()
        },
        "digest": digest_of(
            {"image_size": config.image_size, "shards": [shard.sha256 for shard in every]}
        ),
    }


def _refuse_if_unusable(
    source: str, manifest: dict[str, Any], rejected: list[dict[str, Any]], config: IngestConfig
) -> None:
    counts = manifest["counts"]
    if not counts["seen"]:
        raise DataRefused(
            f"no pictures in '{source}' ({counts['other']:,} other files): pass a source "
            f"with files that end in {', '.join(PICTURE_SUFFIXES)} (in any case, not hidden)"
        )
    share = counts["rejected"] / counts["seen"]
    if share > config.max_reject_share:
        examples = ", ".join(f"'{line['path']}'" for line in rejected[:3])
        raise DataRefused(
            f"{counts['rejected']:,} of {counts['seen']:,} pictures in '{source}' are broken, "
            f"{share:.2%}, and ingest.max_reject_share allows {config.max_reject_share:.2%}: "
            f"{_by_reason(manifest)}; among them {examples}; mend or remove them, or raise "
            "ingest.max_reject_share"
        )
    for split, change in ((TRAIN_SPLIT, "lower"), (EVAL_SPLIT, "raise")):
        if not counts[split]:
            usable = counts[TRAIN_SPLIT] + counts[EVAL_SPLIT]
            raise DataRefused(
                f"none of the {usable:,} usable pictures in '{source}' fell to the {split} split "
                f"at ingest.eval_share={config.eval_share:g} (their content decides): add "
                f"pictures, or {change} ingest.eval_share"
            )


def _by_reason(manifest: dict[str, Any]) -> str:
    counts = sorted(manifest["rejected_by_reason"].items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {reason}" for reason, count in counts)


def _write_contact_sheet(path: Path, shards: list[Shard], image_size: int) -> None:
    pixels = [pixels for shard in shards for pixels in shard.sample][:_SHEET_PICTURES]
    pictures = np.frombuffer(b"".join(pixels), np.uint8)
    save_png(path, grid(pictures.reshape(-1, image_size, image_size, 3), _SHEET_COLUMNS))


def _log(manifest: dict[str, Any]) -> None:
    counts = manifest["counts"]
    LOG.info(
        "%s pictures: %s train, %s eval, %s duplicates, %s rejected",
        *(f"{counts[key]:,}" for key in ("seen", TRAIN_SPLIT, EVAL_SPLIT, "duplicate", "rejected")),
    )
    if counts["rejected"]:
        LOG.info(
            "rejected %s: %s; see %s", f"{counts['rejected']:,}", _by_reason(manifest), REJECTED
        )
