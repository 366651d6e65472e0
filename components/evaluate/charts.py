"""The page's charts: SVG in the page's own colours and font."""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

_TICKS = 6  # of a horizontal axis, at most

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


def loss_chart(lines: list[dict[str, Any]]) -> Markup:
    """Draw both losses over the lines of `metrics.jsonl`."""
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


def kid_chart(scores: dict[str, Any]) -> Markup | None:
    """Draw KID of each snapshot and of the best, the limit, and what real pictures reach."""
    best = scores["best"]
    scored = [one for one in scores["snapshots"] if one["kid"] is not None]
    if best["kid"] is None:
        return None
    with matplotlib.rc_context(_CHART_STYLE):
        figure, axes = _new_chart("epoch", "KID (lower is better)")
        epochs, kids = [one["epoch"] for one in scored], [one["kid"] for one in scored]
        intervals = [one["kid_interval"] or 0 for one in scored]
        if scored:
            axes.errorbar(
                epochs, kids, intervals, color=_FIRST, marker="o", markersize=4, elinewidth=1,
                capsize=3,
            )  # fmt: skip
        axes.errorbar(
            best["epoch"], best["kid"], best["kid_interval"] or 0, color=_FIRST, linestyle="",
            marker="o", markersize=10, fillstyle="none", elinewidth=1, capsize=3, label="best",
        )  # fmt: skip
        if len(epochs) <= _TICKS:
            axes.set_xticks(epochs or [best["epoch"]])
        limit, floor = scores["kid_limit"], scores["controls"]["floor"]["kid"]
        named = scores["config"]["max_kid"]
        label = f"limit: {named}" if isinstance(named, str) else "limit"
        axes.axhline(limit, color=_SECOND, linestyle=(0, (4, 1.5)), linewidth=1.2, label=label)
        if floor is not None:
            axes.axhline(floor, color=_MUTED, linestyle=(0, (1, 1.5)), linewidth=1.2, label="floor")
        axes.margins(x=0.08, y=0.12)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0)
        return _to_svg(figure, "kid")


def histogram_chart(
    name: str,
    label: str,
    bins: Sequence[float],
    before: Sequence[float] | None,
    ticks: dict[float, str],
    before_label: str = "",
) -> Markup:
    """Draw shares of bins of equal width, filled, and earlier ones as a dashed line.

    Args:
        name: Of the chart, unlike any other of the page.
        label: Of the horizontal axis.
        bins: One share a bin.
        before: The same of earlier pictures, or None.
        ticks: Place on the axis, in bins from the left → its label.
        before_label: Of the earlier ones.
    """
    with matplotlib.rc_context(_CHART_STYLE):
        figure, axes = _new_chart(label, "share")
        axes.stairs(bins, fill=True, color=_FIRST, alpha=0.35)
        axes.stairs(bins, color=_FIRST, linewidth=1.2, label="now")
        if before is not None:
            axes.stairs(
                before, color=_SECOND, linestyle=(0, (4, 1.5)), linewidth=1.6, label=before_label
            )
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.set_xlim(0, len(bins))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        return _to_svg(figure, name)


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
