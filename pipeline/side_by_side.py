"""Runs side by side: their scores, pictures and settings, in one page.

The gate, which holds a model against the published one, is `components.evaluate.gate`.
"""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from components.evaluate.page import WIDEST, Picture, embed, embed_gif, write_page
from components.shared.contracts import GIF, SAMPLES
from components.shared.errors import UsageError
from pipeline.config import read_sections
from pipeline.results import CONFIG, read_run

_MUST_AGREE = {  # key of run.json → how scores were made where it differs
    "extractor": "by different extractors",
    "real_images": "with different numbers of pictures",
    "generated_images": "with different numbers of pictures",
    "eval_digest": "against different held-out pictures",
}
_NEEDED = (*_MUST_AGREE, "data_digest", "best", "training", "counts")


class _Run(NamedTuple):
    folder: Path
    values: dict[str, Any]  # what run.json holds
    settings: dict[str, Any]  # section.key → value
    samples: Picture
    gif: Picture


def write_side_by_side(folders: Sequence[Path], out: Path) -> str | None:
    """Write one page that holds finished runs against each other.

    Args:
        folders: Of the runs, at least two.
        out: HTML file to write.

    Returns:
        A sentence that says why their scores are not comparable, or None where they are.

    Raises:
        UsageError: Fewer than two runs, the same one twice, no run there, one that an older
            version made, or `out` cannot be written.
    """
    runs = [_read(folder) for folder in folders]
    distinct = {run.folder for run in runs}
    if len(distinct) < max(2, len(runs)):
        raise UsageError(
            f"name at least two runs, each once ({len(runs)} given, {len(distinct)} different)"
        )
    parent = os.path.commonpath([run.folder.parent for run in runs])
    names = [os.path.relpath(run.folder, parent) for run in runs]
    warning = _warning(runs)
    try:
        write_page(
            out,
            "side_by_side.html.j2",
            runs=dict(zip(names, runs, strict=True)),
            warning=warning,
            lowest_kid=None if warning else _lowest_kid(runs),
            differences=_differences(runs),
        )
    except OSError as error:
        raise UsageError(f"cannot write --out {out}: {error.strerror}") from None
    return warning


def _read(folder: Path) -> _Run:
    values = read_run(folder, _NEEDED).values
    settings = dict(_flat(read_sections(folder / CONFIG)))
    pictures = _picture(folder / SAMPLES), _picture(folder / GIF)
    return _Run(folder.resolve(), values, settings, *pictures)


def _picture(path: Path) -> Picture:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    try:
        return embed_gif(data) if path.suffix == ".gif" else embed(data, WIDEST)
    except Exception:  # Pillow has many for a file that is damaged
        raise UsageError(f"cannot read {path}: it is damaged") from None


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _warning(runs: Sequence[_Run]) -> str | None:
    reasons = dict.fromkeys(
        words for key, words in _MUST_AGREE.items() if _differ([run.values[key] for run in runs])
    )
    if not reasons:
        return None
    return f"their scores are not comparable: they were made {' and '.join(reasons)}"


def _lowest_kid(runs: Sequence[_Run]) -> float | None:
    kids = [run.values["best"]["kid"] for run in runs]
    return min((kid for kid in kids if kid is not None), default=None)


def _differences(runs: Sequence[_Run]) -> dict[str, list[Any]]:
    """Settings that differ → their value in each run, `–` where a run knew no such setting."""
    keys = dict.fromkeys(key for run in runs for key in run.settings)
    values = {key: [run.settings.get(key, "–") for run in runs] for key in keys}
    return {key: row for key, row in values.items() if _differ(row)}


def _differ(values: Sequence[Any]) -> bool:
    return len({json.dumps(value, sort_keys=True, default=str) for value in values}) > 1
