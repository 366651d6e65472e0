"""The report: one HTML page that holds all it shows, and asks the net for nothing."""

import base64
import collections
import io
import re
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from components.shared.contracts import (
    CONTACT_SHEET,
    MANIFEST,
    METRICS,
    REJECTED,
    SHEETS,
    TRAINING,
    epoch_of,
)
from components.shared.files import read_json, read_json_lines, write_atomically
from components.shared.pictures import thin

_TEMPLATES = Path(__file__).parent / "templates"
_SHEETS_SHOWN = 12
_SHEET_WIDTH = 400  # pixels
_WIDEST = 1200  # pixels
_TICKS = 6  # of a horizontal axis, at most
_LARGEST_PNG = 1 << 20  # bytes; larger ones are shown as lossy WebP

# Colours stand in for what the page's style sheet decides, light or dark.
_INK, _MUTED, _FIRST, _SECOND = "#010101", "#020202", "#030303", "#040404"
_CSS_COLOURS = {
    _INK: "currentColor",
    _MUTED: "var(--muted)",
    _FIRST: "var(--first)",
    _SECOND: "var(--second)",
}
_CHART_STYLE: dict[Any, Any] = {  # matplotlib types its keys one by one
    "svg.fonttype": "none",  # text stays text, in the page's font
    "svg.hashsalt": "dcgan",  # the same figures give the same page
    "font.size": 10.5,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.color": _MUTED,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
}


class _Picture(NamedTuple):
    uri: str
    width: int
    height: int


def write_report(
    path: Path, *, scores: dict[str, Any], records: Path, training: Path, samples_png: bytes
) -> None:
    """Write the page that shows how good the snapshots are, and what they were made from.

    Args:
        path: File to write.
        scores: What `scores.json` holds.
        records: Folder written by ingest.
        training: Folder written by train.
        samples_png: Pictures from the best snapshot.
    """
    manifest = read_json(records / MANIFEST)
    losses = _read_lines(training / METRICS)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html.j2").render(
        scores=scores,
        samples=_embed(samples_png, _WIDEST),
        loss_chart=_loss_chart(losses) if losses else None,
        kid_chart=_kid_chart(scores),
        sheets=_sheets(training / SHEETS),
        manifest=manifest,
        contact_sheet=_embed_file(records / CONTACT_SHEET),
        rejects=_count_reasons(_read_lines(records / REJECTED)),
        configurations={
            "train": read_json(training / TRAINING)["config"],
            "evaluate": scores["config"],
        },
    )
    write_atomically(path, page.encode())


def _read_lines(path: Path) -> list[dict[str, Any]]:
    return read_json_lines(path) if path.exists() else []


def _count_reasons(rejected: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Reasons with their counts, most frequent first."""
    return collections.Counter(line["reason"] for line in rejected).most_common()


def _sheets(folder: Path) -> list[tuple[int, _Picture]]:
    """Epochs and their sheets, thinned evenly; the first and the last stay."""
    paths = sorted(folder.glob("epoch-*.png"), key=epoch_of)
    return [
        (epoch_of(path), _embed(path.read_bytes(), _SHEET_WIDTH, 0))
        for path in thin(paths, _SHEETS_SHOWN)
    ]


def _embed_file(path: Path) -> _Picture | None:
    return _embed(path.read_bytes(), _WIDEST, 0) if path.exists() else None


def _embed(png: bytes, widest: int, largest_png: int = _LARGEST_PNG) -> _Picture:
    """Turn a PNG into a data URI, as it is where it is small enough, else as WebP."""
    with Image.open(io.BytesIO(png)) as picture:
        width, height = picture.size
        if len(png) <= largest_png and width <= widest:
            return _Picture(_data_uri(png, "png"), width, height)
        scale = min(1, widest / width)
        width, height = round(width * scale), max(1, round(height * scale))
        buffer = io.BytesIO()
        picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(
            buffer, format="WEBP", quality=80
        )
    return _Picture(_data_uri(buffer.getvalue(), "webp"), width, height)


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _loss_chart(lines: list[dict[str, Any]]) -> Markup:
    with matplotlib.rc_context(_CHART_STYLE):
        figure, axes = _new_chart("step", "loss")
        steps = [line["step"] for line in lines]
        marker = "o" if len(lines) == 1 else ""
        generator = [line["generator_loss"] for line in lines]
        discriminator = [line["discriminator_loss"] for line in lines]
        axes.plot(steps, generator, color=_FIRST, marker=marker, label="generator")
        axes.plot(
            steps, discriminator, color=_SECOND, linestyle=(0, (4, 1.5)), marker=marker,
            label="discriminator",
        )  # fmt: skip
        axes.set_ylim(bottom=0)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
        return _to_svg(figure, "loss")


def _kid_chart(scores: dict[str, Any]) -> Markup | None:
    """KID of each snapshot, beside what is asked of it and what real pictures reach."""
    scored = [one for one in scores["snapshots"] if one["kid"] is not None]
    if not scored:
        return None
    with matplotlib.rc_context(_CHART_STYLE):
        figure, axes = _new_chart("epoch", "KID (lower is better)")
        epochs, kids = [one["epoch"] for one in scored], [one["kid"] for one in scored]
        axes.plot(epochs, kids, color=_FIRST, marker="o", markersize=4)
        if len(epochs) <= _TICKS:
            axes.set_xticks(epochs)
        best = scores["best"]
        axes.plot(
            best["epoch"], best["kid"], linestyle="", marker="o", markersize=10, fillstyle="none",
            color=_FIRST, label="best",
        )  # fmt: skip
        limit, floor = scores["config"]["max_kid"], scores["floor"]["kid"]
        axes.axhline(limit, color=_SECOND, linestyle=(0, (4, 1.5)), linewidth=1.2, label="limit")
        axes.axhline(floor, color=_MUTED, linestyle=(0, (1, 1.5)), linewidth=1.2, label="floor")
        axes.margins(x=0.08, y=0.12)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0)
        return _to_svg(figure, "kid")


def _new_chart(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, 2.9), layout="constrained")
    axes = figure.add_subplot(xlabel=x_label, ylabel=y_label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=_TICKS, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.grid(axis="y", color=_MUTED, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _to_svg(figure: Figure, name: str) -> Markup:
    """Draw as an SVG element to stand in the page; `name` keeps its ids apart."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for stand_in, colour in _CSS_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    svg = re.sub(r'(?<=\bid=")|(?<=url\(#)|(?<=href="#)', f"{name}-", svg)
    return Markup(svg)  # safe: drawn by matplotlib from numbers and our own words
