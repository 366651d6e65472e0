"""How the command line shows things to a person, within 80 columns."""

import os
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from components.ingest.addresses import addresses, is_manifest
from components.shared.buckets import is_remote
from components.shared.contracts import GIF, REPORT, SAMPLES, SAVED_MODEL
from pipeline.doctor import Check
from pipeline.results import LATEST, TASKS, RunSummary
from pipeline.typed_text import readable

if TYPE_CHECKING:
    from pipeline.dry_run import TaskForecast

_INDENT = len("fingerprint ")
NEEDED = (  # keys of run.json
    "images", "counts", "training", "best", "blessed", "blessed_reason", "tasks", "total_seconds",
    "publish_root", "standing", "drift", "floor",
)  # fmt: skip


def plain(text: str | None) -> str:
    """Text in which neither rich nor a terminal sees a command; a dash for none."""
    signs = readable(text or "–")
    return escape("".join(sign for sign in signs if sign.isprintable() or sign == "\n"))


def task_line(task: str, message: str, width: int) -> str:
    """One line of a running task; more of them, indented, where it is wider than `width`."""
    room = max(width - _INDENT, 1)
    lines = textwrap.wrap(message, room, break_long_words=False, break_on_hyphens=False)
    text = ("\n" + _INDENT * " ").join(lines)
    return f"[cyan]{task:>{_INDENT - 1}}[/] {plain(text)}"


def run_table(summary: RunSummary) -> RenderableType:
    """What a run did, how good the model is, and where everything lies."""
    values = summary.values
    tasks = Table(box=None, pad_edge=False, show_header=True)
    tasks.add_column("task")
    tasks.add_column("minutes", justify="right")
    tasks.add_column("")
    notes = _notes(summary)
    for task in TASKS:
        ran = values["tasks"].get(task)
        tasks.add_row(task, f"{ran['work'] / 60:.1f}" if ran else "–", notes.get(task, ""))
    work = sum(ran["work"] for ran in values["tasks"].values())
    overhead = values["total_seconds"] - work
    tasks.add_row("overhead", f"{overhead / 60:.1f}", f"{overhead:.0f} s: imports, starting tasks")
    tasks.add_row("all", f"{values['total_seconds'] / 60:.1f}", _what_ran(values["tasks"]))

    places = [
        ("" if index else "pictures", _shortest_address(address))
        for index, address in enumerate(addresses(values["images"]))
    ]
    folder = _shortest(summary.folder)
    for label, name in (
        ("report", REPORT), ("GIF", GIF), ("samples", SAMPLES), ("model", SAVED_MODEL),
    ):  # fmt: skip
        places.append((label, f"{folder}/{name}"))
    # No table, which would break a long path into pieces.
    lines = (f"{label:<8}  {plain(place)}" for label, place in places)
    return Group(
        Text(f"\n{values['standing']}\n", no_wrap=False, overflow="fold"), tasks, "", *lines
    )


def forecast_table(tasks: Iterable["TaskForecast"]) -> Table:
    """What a run would do with each task."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for task in tasks:
        table.add_row(task.name, task.does, plain(task.note) if task.note else "")
    return table


def check_table(checks: Iterable[Check]) -> Table:
    """What the doctor found."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[red]no[/]"
        table.add_row(mark, check.name, plain(check.finding))
    return table


def _notes(summary: RunSummary) -> dict[str, str]:
    values = summary.values
    counts, best = values["counts"], values["best"]
    verdict = "blessed" if values["blessed"] else "not blessed"
    ran = values["tasks"]
    notes = {
        "ingest": f"{counts['train'] + counts['eval']:,} pictures in, "
        f"{counts['rejected']:,} rejected, {counts['duplicate']:,} duplicates",
        "validate": plain(values["drift"]),
        "train": f"{values['training']['epochs']:,} epochs, "
        f"{values['training']['images_seen']:,} pictures seen",
        "evaluate": f"KID {_number(best['kid'])} at epoch {best['epoch']}, "
        f"floor {_number(values['floor']['kid'])}",
        "compare": plain(f"{verdict}: {values['blessed_reason']}"),
        "publish": plain(_shortest_address(values["publish_root"]))
        if values["blessed"]
        else "nothing; the model stays in this run's folder",
    }
    for task in TASKS:
        if task not in ran and not (task == "publish" and not values["blessed"]):
            notes[task] = f"unchanged; {notes[task]}" if notes.get(task) else "unchanged"
    return notes


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"


def _what_ran(ran: dict[str, object]) -> str:
    if "train" in ran:
        return ""
    return "nothing new to train on: an earlier run's model"


def _shortest_address(address: str) -> str:
    if is_remote(address) or is_manifest(address):
        return address
    return _shortest(Path(address))


def _shortest(path: Path) -> str:
    """A path as short as it can be typed, by way of `latest` where that points to it."""
    latest = path.with_name(LATEST)
    if path.name != LATEST and latest.exists() and latest.resolve() == path.resolve():
        path = latest
    try:
        relative = os.path.relpath(path)
    except OSError:  # the working folder is gone
        return str(path)
    return relative if len(relative) < len(str(path)) else str(path)
