"""Whether a run can have pictures enough, from settings and the names of files alone."""

import itertools
from collections.abc import Sequence

from components.evaluate.enough import FEWEST, fewest_of_each
from components.ingest.addresses import addresses, all_addresses, is_pattern, of_braces
from components.ingest.reasons import ADVICE, Reason
from components.ingest.source import PICTURE_SUFFIXES, SetAside
from components.ingest.sources import open_source
from components.shared.buckets import is_remote
from components.shared.errors import DataRefused, UsageError
from pipeline.config import PipelineConfig

NO_PICTURES = (Reason.HIDDEN, Reason.OTHER)
_MOST_TOLD = 3


def check_max_images(config: PipelineConfig) -> None:
    """Raise UsageError where ingest.max_images leaves fewer pictures than the run needs."""
    most = config.ingest.max_images
    if 0 < most < _needed(config):
        raise UsageError(
            f"ingest.max_images (={most}) leaves too few: this run needs {_words(config)}: "
            f"{_advice(config, most, 'raise it')}"
        )


def check_sources(config: PipelineConfig) -> None:
    """Raise DataRefused where the sources have fewer files than the run needs pictures.

    It stops as soon as there are enough, and opens none of them. How many are sound, and how many
    fall to each split, only ingest can say; so it does of what lies in a bucket or in a
    compressed tar, for it costs as much to count there as to read.

    Raises:
        DataRefused: There are too few, or an archive is damaged.
        UsageError: There is no such source, or nothing fits a pattern.
    """
    needed, found = _needed(config), 0
    unusable: list[SetAside] = []
    sources = addresses(config.sources)
    for address in sources:
        # At least one of each, lest a disk that is not there goes unseen.
        more = _count(address, max(1, needed - found), unusable)
        if not more and len(sources) > 1:
            raise DataRefused(f"no pictures in '{address}'{_why(unusable)}")
        found += more
    where = ", ".join(f"'{address}'" for address in sources)
    if not found:
        raise DataRefused(f"no pictures in {where}{_why(unusable)}")
    if unusable:
        where += f" ({in_words(unusable)})"
    if found < needed:
        raise DataRefused(
            f"at most {found:,} pictures in {where}, and this run needs {_words(config)}: "
            f"{_advice(config, found, 'add pictures')}"
        )


def _why(unusable: Sequence[SetAside]) -> str:
    """Why there are none, and what to do."""
    ways = [ADVICE.get(Reason(file.reason), "") for file in unusable]
    default = f"pass a source with files that end in {', '.join(PICTURE_SUFFIXES)}"
    advice = ", ".join(filter(None, dict.fromkeys(ways)))
    advice = advice or f"{default} (in any case, not hidden)"
    return f" ({in_words(unusable)}): {advice}" if unusable else f": {advice}"


def in_words(unusable: Sequence[SetAside]) -> str:
    """How many files cannot be used, and a few causes, each with an example."""
    by_cause = {file.detail or file.reason: file.path for file in reversed(unusable)}
    told = [f"'{path}' ({cause})" for cause, path in reversed(by_cause.items())]
    return f"{len(unusable):,} that cannot be used, such as {', '.join(told[:_MOST_TOLD])}"


def _count(address: str, enough: int, unusable: list[SetAside]) -> int:
    """Number of files that may be pictures; `enough` where there are more, or only ingest knows.

    Those that cannot be used, though the user may think so, are added to `unusable`.
    """
    if any(map(is_remote, all_addresses(address))):
        return enough
    found, fits = 0, False
    with open_source(address) as source:
        if source.in_order:
            return enough
        for entry in source.at_a_glance():
            fits = fits or entry.problem is None
            why = source.why_aside(entry)
            found += why is None
            if why and why.reason not in NO_PICTURES:
                unusable.append(SetAside(entry.path, entry.size, why.reason, why.detail))
            if fits and found >= enough:
                return enough
    if not fits and is_pattern(address):
        raise UsageError(f"--images {address}: nothing there fits this pattern{of_braces(address)}")
    return found


def _to_train_on(config: PipelineConfig) -> int:
    return max(
        config.transform.min_images, config.train.batch_size, fewest_of_each(config.evaluate)
    )


def _needed(config: PipelineConfig) -> int:
    return _to_train_on(config) + fewest_of_each(config.evaluate)


def _words(config: PipelineConfig) -> str:
    return (
        f"{_needed(config):,}: {_to_train_on(config):,} to train on (transform.min_images, two "
        f"batches unless it is set) and {fewest_of_each(config.evaluate)} held out to score against"
    )


def _advice(config: PipelineConfig, found: int, most_of_all: str) -> str:
    """What helps: the fewest settings that, as low as they go, make so many pictures enough."""
    is_set = "min_images" in config.transform.model_fields_set
    settings = [*(["transform.min_images"] if is_set else []), "train.batch_size"]
    settings.append("evaluate.neighbours")
    for size in range(1, len(settings) + 1):
        ways = [
            f"lower {' and '.join(lowered)}"
            for lowered in itertools.combinations(settings, size)
            if _needed_at_least(config, lowered, is_set) <= found
        ]
        if ways:
            return f"{most_of_all}, or {', or '.join(ways)}"
    return most_of_all


def _needed_at_least(config: PipelineConfig, lowered: Sequence[str], is_set: bool) -> int:
    batch = 2 if "train.batch_size" in lowered else config.train.batch_size
    asked = config.transform.min_images if is_set else 2 * batch
    if "transform.min_images" in lowered:
        asked = 2
    fewest = FEWEST if "evaluate.neighbours" in lowered else fewest_of_each(config.evaluate)
    return max(asked, batch, fewest) + fewest
