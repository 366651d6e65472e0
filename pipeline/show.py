"""How the command line shows things to a person, within 80 columns."""

import os
from collections.abc import Iterable
from pathlib import Path

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from components.ingest.addresses import addresses, is_manifest, is_remote
from components.shared.contracts import GIF, REPORT, SAMPLES, SAVED_MODEL
from components.shared.process import LogLine
from pipeline.doctor import Check
from pipeline.results import LATEST, TASKS, RunSummary


def plain(text: str | None) -> str:
    """Text in which rich sees no markup; a dash for none."""
    return escape(text or "–")


def step_line(line: LogLine) -> str:
    """One line of a running step."""
    return f"[cyan]{line.step:>11}[/] {plain(line.message)}"


def run_table(summary: RunSummary) -> RenderableType:
    """What a run did, how good the model is, and where everything lies."""
    values = summary.values
    steps = Table(box=None, pad_edge=False, show_header=True)
    steps.add_column("step")
    steps.add_column("minutes", justify="right")
    steps.add_column("")
    notes = _notes(summary)
    for task in TASKS:
        ran = values["steps"].get(task)
        steps.add_row(task, f"{ran['work'] / 60:.1f}" if ran else "–", notes.get(task, ""))
    work = sum(step["work"] for step in values["steps"].values())
    overhead = values["total_seconds"] - work
    steps.add_row("overhead", f"{overhead / 60:.1f}", f"{overhead:.0f} s: imports, starting steps")
    steps.add_row("all", f"{values['total_seconds'] / 60:.1f}", _what_ran(values["steps"]))

    files = Table(box=None, pad_edge=False, show_header=False)
    for index, address in enumerate(addresses(values["images"])):
        files.add_row("" if index else "pictures", plain(_shortest_address(address)))
    folder = _shortest(summary.folder)
    for label, name in (
        ("report", REPORT), ("GIF", GIF), ("samples", SAMPLES), ("model", SAVED_MODEL),
    ):  # fmt: skip
        files.add_row(label, plain(f"{folder}/{name}"))
    return Group("", steps, "", files)


def check_table(checks: Iterable[Check]) -> Table:
    """What the doctor found."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = "[green]ok[/]" if check.ok else "[red]no[/]"
        table.add_row(mark, check.name, plain(check.finding))
    return table


def _notes(summary: RunSummary) -> dict[str, str]:
    values = summary.values
    counts, best, floor = values["counts"], values["best"], values["floor"]
    verdict = "blessed" if values["blessed"] else "not blessed"
    ran = values["steps"]
    notes = {
        "ingest": f"{counts['train'] + counts['eval']:,} pictures in, "
        f"{counts['rejected']:,} rejected, {counts['duplicate']:,} duplicates",
        "validate": plain(values.get("drift", "")),  # older runs tell of none
        "train": f"{values['training']['epochs']:,} epochs, "
        f"{values['training']['images_seen']:,} pictures seen",
        "evaluate": f"KID {_number(best['kid'])} at epoch {best['epoch']}, "
        f"floor {_number(floor['kid'])}",
        "compare": plain(f"{verdict}: {values['blessed_reason']}"),
        "publish": plain(_shortest_address(values["publish_root"])) if values["blessed"] else "",
    }
    for task in TASKS:
        if task not in ran and not (task == "publish" and not values["blessed"]):
            notes[task] = f"unchanged; {notes[task]}" if notes.get(task) else "unchanged"
    return notes


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.3f}"


def _what_ran(steps: dict[str, object]) -> str:
    if "train" in steps:
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
    relative = os.path.relpath(path)
    return relative if len(relative) < len(str(path)) else str(path)
