"""What the step says of its pictures."""

import collections
from collections.abc import Iterable, Mapping
from typing import Any

from components.ingest.config import IngestConfig
from components.ingest.shard import ASPECT_EDGES, SIDE_EDGES, SPLITS, ShardReport, shard_names
from components.shared.files import digest_of


def make_manifest(
    shards: Mapping[str, ShardReport], rejected: list[dict[str, Any]], config: IngestConfig
) -> dict[str, Any]:
    """Say what is in the folder: counts, reasons, sizes, shards.

    Args:
        shards: All of both splits, by name.
        rejected: Lines of `rejected.jsonl`.
        config: The step's configuration.
    """
    splits = {split: [shards[name] for name in shard_names(split, config)] for split in SPLITS}
    images = {split: sum(shard.images for shard in splits[split]) for split in SPLITS}
    duplicate = sum(shard.duplicates for shard in shards.values())
    return {
        # Where it was computed is no property of the records.
        "config": config.model_dump(mode="json", exclude={"beam_options", "staging"}),
        "image_size": config.image_size,
        "counts": {
            **images,
            "duplicate": duplicate,
            "rejected": len(rejected),
            "seen": sum(images.values()) + duplicate + len(rejected),
        },
        "near_duplicates": None,
        "unfinished": sum(shard.unfinished for shard in shards.values()),
        "rejected_by_reason": dict(collections.Counter(line["reason"] for line in rejected)),
        "sizes": {
            "shorter_side": _histogram(SIDE_EDGES, [s.shorter_side for s in shards.values()]),
            "aspect": _histogram(ASPECT_EDGES, [s.aspect for s in shards.values()]),
        },
        "shards": {
            split: [
                {"name": shard.name, "images": shard.images, "sha256": shard.sha256}
                for shard in splits[split]
            ]
            for split in SPLITS
        },
        "digest": digest_of(
            {
                "image_size": config.image_size,
                "shards": [shard.sha256 for split in SPLITS for shard in splits[split]],
            }
        ),
    }


def _histogram(edges: tuple[float, ...], counts: Iterable[list[int]]) -> dict[str, Any]:
    return {"edges": list(edges), "counts": [sum(column) for column in zip(*counts, strict=True)]}
