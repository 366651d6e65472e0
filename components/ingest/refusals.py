"""Which sources the step refuses: no picture, too many broken ones, too few for two splits."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from components.ingest.config import IngestConfig
from components.ingest.labels import in_words, label_by_folders, why_no_classes
from components.ingest.reasons import ADVICE, NOT_BROKEN, Reason
from components.ingest.shard import rejection
from components.ingest.source import PICTURE_SUFFIXES, Listing, Source
from components.shared.contracts import EVAL_SPLIT, TRAIN_SPLIT
from components.shared.errors import DataRefused, PipelineError


def list_pictures(images: str, opened: Source, config: IngestConfig) -> Listing:
    """What is to be read of a source, and what is set aside unread.

    Raises:
        DataRefused: It has no picture or no classes, or names alone tell that too many are broken.
    """
    listing = opened.list()
    if config.labels == "folders":
        listing = label_by_folders(listing, opened)
    if config.max_images:
        listing = listing.first(config.max_images)
    rejected = [rejection(*each[:-1]) for each in listing.other]
    loose = [each for each in listing.other if each.reason == Reason.NO_CLASS]
    refuse_broken(images, len(listing.pictures) + len(loose), rejected, config)
    if config.labels == "folders" and (why := why_no_classes(listing)):
        raise DataRefused(f"{why} (in {_quoted(images)})")
    return listing


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
    """Raise DataRefused for no picture, too many broken ones, or a split that lacks a class."""
    counts = manifest["counts"]
    refuse_broken(source, counts["seen"] - counts["rejected"], rejected, config)
    for split, change in ((TRAIN_SPLIT, "lower"), (EVAL_SPLIT, "raise")):
        if not counts[split]:
            usable = counts[TRAIN_SPLIT] + counts[EVAL_SPLIT]
            raise DataRefused(
                f"none of the {usable:,} usable pictures in {_quoted(source)} fell to the {split} "
                f"split at ingest.eval_share={config.eval_share:g} (their content decides): add "
                f"pictures, or {change} ingest.eval_share"
            )
        missing = [one["name"] for one in manifest["classes"] if not one[split]]
        if missing:
            raise DataRefused(
                f"no usable picture of {in_words(missing)} in {_quoted(source)} fell to the "
                f"{split} split at ingest.eval_share={config.eval_share:g} (content decides): add "
                f"pictures, {change} ingest.eval_share, or take these folders away"
            )


def refuse_broken(
    source: str, sound: int, rejected: Sequence[dict[str, Any]], config: IngestConfig
) -> None:
    """Raise DataRefused for no picture, or too many broken ones.

    Args:
        source: The sources, one a line.
        sound: Number of pictures that are not known to be broken.
        rejected: Lines of `rejected.jsonl`, as far as they are known.
        config: The step's configuration.
    """
    broken = [line for line in rejected if line["reason"] not in NOT_BROKEN]
    pictures = sound + len(broken)
    if not pictures:
        raise DataRefused(
            f"no pictures in {_quoted(source)} ({_others(rejected)}): pass a source "
            f"with files that end in {', '.join(PICTURE_SUFFIXES)} (in any case, not hidden)"
        )
    share = len(broken) / pictures
    if share > config.max_reject_share:
        by_reason = collections.Counter(line["reason"] for line in broken)
        advice = [ADVICE.get(line["reason"], "mend or remove them") for line in broken]
        raise DataRefused(
            f"{len(broken):,} of {pictures:,} pictures in {_quoted(source)} are broken, "
            f"{share:.2%}, and ingest.max_reject_share allows {config.max_reject_share:.2%}: "
            f"{by_frequency(by_reason)}; among them {', '.join(map(_shown, broken[:3]))}; "
            f"{', '.join(dict.fromkeys(advice))}, or raise ingest.max_reject_share"
        )


def _quoted(source: str) -> str:
    return ", ".join(f"'{address}'" for address in source.split("\n"))


def _others(rejected: Sequence[dict[str, Any]]) -> str:
    """Say how many files are no pictures, which are archives, and what is wrong with bare names."""
    told = [line for line in rejected if "detail" in line]
    others = [line["detail"] for line in told if line["reason"] == Reason.OTHER]
    named = [_shown(line) for line in told if line["reason"] != Reason.OTHER]
    found = [by_frequency(collections.Counter(others)), *named[:3]]
    return "; ".join(filter(None, [f"{len(rejected):,} other files", *found]))


def _shown(line: Mapping[str, Any]) -> str:
    return f"'{line['path']}'" + (f" ({line['detail']})" if "detail" in line else "")


def by_frequency(by_reason: Mapping[str, int]) -> str:
    """Reasons with their counts in words, the most frequent first."""
    counts = sorted(by_reason.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {reason}" for reason, count in counts)
