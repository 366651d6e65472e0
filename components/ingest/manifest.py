"""What the step says of its pictures, and what it refuses."""

import collections
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from components.ingest.config import IngestConfig
from components.ingest.reasons import ADVICE, NOT_LOOKED_AT, Reason
from components.ingest.shard import ASPECT_EDGES, SIDE_EDGES, SPLITS, ShardReport, shard_names
from components.ingest.source import PICTURE_SUFFIXES
from components.shared.contracts import EVAL_SPLIT, TRAIN_SPLIT
from components.shared.errors import DataRefused, PipelineError
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


def refuse_if_lost(listing: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Hold what came back against what was listed."""
    listed = listing["pictures"] + len(listing["other"])
    if listed != manifest["counts"]["seen"]:
        raise PipelineError(
            f"{listed:,} files were listed and {manifest['counts']['seen']:,} came back from "
            "Beam's workers: run the step again"
        )


def refuse_if_unusable(
    source: str, manifest: dict[str, Any], rejected: list[dict[str, Any]], config: IngestConfig
) -> None:
    """Raise DataRefused for no picture, too many broken ones, or an empty split."""
    counts = manifest["counts"]
    by_reason = manifest["rejected_by_reason"]
    other = sum(by_reason.get(reason, 0) for reason in NOT_LOOKED_AT)
    pictures, broken = counts["seen"] - other, counts["rejected"] - other
    where = ", ".join(f"'{address}'" for address in source.splitlines())
    if not pictures:
        raise DataRefused(
            f"no pictures in {where} ({_others(rejected)}): pass a source "
            f"with files that end in {', '.join(PICTURE_SUFFIXES)} (in any case, not hidden)"
        )
    share = broken / pictures
    if share > config.max_reject_share:
        bad = [line for line in rejected if line["reason"] not in NOT_LOOKED_AT]
        examples = ", ".join(map(_shown, bad[:3]))
        advice = [ADVICE.get(line["reason"], "mend or remove them") for line in bad]
        raise DataRefused(
            f"{broken:,} of {pictures:,} pictures in {where} are broken, "
            f"{share:.2%}, and ingest.max_reject_share allows {config.max_reject_share:.2%}: "
            f"{by_frequency(by_reason, NOT_LOOKED_AT)}; among them {examples}; "
            f"{', '.join(dict.fromkeys(advice))}, or raise ingest.max_reject_share"
        )
    for split, change in ((TRAIN_SPLIT, "lower"), (EVAL_SPLIT, "raise")):
        if not counts[split]:
            usable = counts[TRAIN_SPLIT] + counts[EVAL_SPLIT]
            raise DataRefused(
                f"none of the {usable:,} usable pictures in {where} fell to the {split} split "
                f"at ingest.eval_share={config.eval_share:g} (their content decides): add "
                f"pictures, or {change} ingest.eval_share"
            )


def _others(rejected: list[dict[str, Any]]) -> str:
    """Say how many files are no pictures, which are archives, and what is wrong with bare names."""
    told = [line for line in rejected if "detail" in line]
    others = [line["detail"] for line in told if line["reason"] == Reason.OTHER]
    named = [_shown(line) for line in told if line["reason"] != Reason.OTHER]
    found = [by_frequency(collections.Counter(others)), *named[:3]]
    return "; ".join(filter(None, [f"{len(rejected):,} other files", *found]))


def _shown(line: dict[str, Any]) -> str:
    return f"'{line['path']}'" + (f" ({line['detail']})" if "detail" in line else "")


def by_frequency(by_reason: Mapping[str, int], but: Collection[str] = ()) -> str:
    """Reasons with their counts in words, the most frequent first."""
    counts = sorted(by_reason.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {reason}" for reason, count in counts if reason not in but)
