"""What the pictures are, as a page of its own and as a section of the report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from components.evaluate.charts import histogram_chart
from components.evaluate.page import WIDEST, embed, write_page
from components.shared.contracts import CONTACT_SHEET, DATA, DRIFT, TRAIN_SPLIT
from components.shared.files import read_json

_CHANNELS = ("red", "green", "blue")
_LEVELS = 256
_MOST_CLASSES = 40  # that are shown
_SIZES = {  # key of `sizes` → what it is, its unit
    "shorter_side": ("shorter side of the files", "pixels"),
    "aspect": ("width over height of the files", ""),
}


class _Chart(NamedTuple):
    svg: Markup
    title: str
    words: str  # what it shows, for who does not see it


def write_data_page(path: Path, records: Path, validation: Path) -> None:
    """Write the page of what the pictures are.

    Args:
        path: File to write.
        records: Folder written by ingest.
        validation: Folder written by validate.
    """
    write_page(path, "data_page.html.j2", **data_section(records, validation))


def data_section(records: Path, validation: Path) -> dict[str, Any]:
    """What `templates/data.html.j2` shows."""
    data, drift = read_json(validation / DATA), read_json(validation / DRIFT)
    reasons = data["rejected_by_reason"].items()
    sheet = records / CONTACT_SHEET
    return {
        "data": data,
        "drift": drift,
        "channels": _CHANNELS,
        "classes": _classes(data, drift["published"]),
        "rejects": sorted(reasons, key=lambda reason: (-reason[1], reason[0])),
        "contact_sheet": embed(sheet.read_bytes(), WIDEST, 0) if sheet.exists() else None,
        "data_charts": [*_size_charts(data, drift), *_channel_charts(data, drift)],
    }


def _classes(data: dict[str, Any], published: dict[str, Any] | None) -> list[dict[str, Any]]:
    """A row for each of the largest classes, with what it was in the published data, if there."""
    before = {row["name"]: row for row in _class_rows(published)} if published else {}
    rows = sorted(_class_rows(data), key=lambda row: -row["share"])
    return [row | {"before": before.get(row["name"])} for row in rows[:_MOST_CLASSES]]


def _class_rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    levels = data["statistics"].get("classes", [])
    total = data["counts"][TRAIN_SPLIT]
    return [
        one | {"share": one[TRAIN_SPLIT] / total, "mean": found["mean"]}
        for one, found in zip(data["classes"], levels, strict=False)
    ]


def _size_charts(data: dict[str, Any], drift: dict[str, Any]) -> list[_Chart]:
    charts = []
    for key, (title, unit) in _SIZES.items():
        edges = data["sizes"][key]["edges"]
        before = drift["published"] and drift["published"]["sizes"][key]
        shares = _shares(data["sizes"][key]["counts"])
        svg = histogram_chart(
            key,
            unit or "width / height",
            shares,
            _shares(before["counts"]) if before and before["edges"] == edges else None,
            {place: _short(edge) for place, edge in enumerate(edges, start=1)},
            f"version {drift['version']}",
        )
        charts.append(_Chart(svg, title, _fullest(shares, edges, unit)))
    return charts


def _channel_charts(data: dict[str, Any], drift: dict[str, Any]) -> list[_Chart]:
    charts = []
    for channel, title in enumerate(_CHANNELS):
        shares = data["statistics"]["histogram"][channel]
        before = drift["published"] and drift["published"]["statistics"]["histogram"][channel]
        levels = {level * len(shares) / _LEVELS: str(level) for level in range(0, _LEVELS, 64)}
        svg = histogram_chart(
            title,
            "level, 0 to 255",
            shares,
            before if before and len(before) == len(shares) else None,
            levels | {len(shares): str(_LEVELS - 1)},
            f"version {drift['version']}",
        )
        edges = [_LEVELS * bin / len(shares) for bin in range(1, len(shares))]
        charts.append(_Chart(svg, title, _fullest(shares, edges)))
    return charts


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]


def _short(edge: float) -> str:
    return f"{edge / 1024:g}k" if edge >= 1024 else f"{edge:g}"


def _fullest(shares: Sequence[float], edges: Sequence[float], unit: str = "") -> str:
    """The bin with the most in it, in words; `edges` are the inner ones."""
    most = max(range(len(shares)), key=shares.__getitem__)
    if most == 0:
        where = f"below {edges[0]:g}"
    elif most == len(edges):
        where = f"{edges[-1]:g} and above"
    else:
        where = f"{edges[most - 1]:g} to below {edges[most]:g}"
    return f"most, {shares[most]:.0%}, are {where} {unit}".rstrip()
