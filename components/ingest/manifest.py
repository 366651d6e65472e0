"""What the step says of its pictures."""

import collections
from collections.abc import Iterable, Mapping
from typing import Any

from components.ingest.config import IngestConfig
from components.ingest.shard import ASPECT_EDGES, SIDE_EDGES, SPLITS, ShardReport, shard_names
from components.shared.files import digest_of


def make_manifest(
    shards: Mapping[str, ShardReport],
    rejected: list[dict[str, Any]],
    listing: Mapping[str, Any],
    config: IngestConfig,
) -> dict[str, Any]:
    """Say what is in the folder: counts, reasons, sizes, shards.

    Args:
        shards: All of both splits, by name.
        rejected: Lines of `rejected.jsonl`.
        listing: What there was, as JSON: `other`, `SetAside` each, and the names of `classes`.
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
        "classes": _classes(shards, listing, config),
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
                # Not in the records, which hold numbers.
                **({"classes": listing["classes"]} if listing["classes"] else {}),
            }
        ),
    }


def _classes(
    shards: Mapping[str, ShardReport], listing: Mapping[str, Any], config: IngestConfig
) -> list[dict[str, Any]]:
    """What there is of each class, by number: its name, pictures of each split, files rejected."""
    rejected = collections.Counter(values[-1] for values in listing["other"])
    images = {split: collections.Counter[int]() for split in SPLITS}
    for split in SPLITS:
        for name in shard_names(split, config):
            images[split].update({int(key): n for key, n in shards[name].images_by_label.items()})
            rejected.update({int(key): n for key, n in shards[name].rejected_by_label.items()})
    return [
        {"name": name, **{split: images[split][number] for split in SPLITS}}
        | {"rejected": rejected[number]}
        for number, name in enumerate(listing["classes"])
    ]


def _histogram(edges: tuple[float, ...], counts: Iterable[list[int]]) -> dict[str, Any]:
    return {"edges": list(edges), "counts": [sum(column) for column in zip(*counts, strict=True)]}
