"""How the command line shows what is on Kubeflow, within 80 columns."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self

from kfp_server_api import V2beta1Run
from rich.live import Live
from rich.table import Table

from pipeline.cluster.tasks import Task, state_of, word_of
from pipeline.show import plain
from pipeline.terminal import Terminal

_COLOURS = {"succeeded": "green", "cached": "green", "running": "cyan", "failed": "red"}
_NAMES = 45  # columns that the names of a run and of its schedule share
_YEAR = len("2026-")  # left out of a list, for room


def task_table(tasks: Iterable[Task]) -> Table:
    """Tasks of a run, their states, how long they took, and what they wait for."""
    table = Table(box=None, pad_edge=False)
    for column in ("task", "state", "took"):
        table.add_column(column)
    table.add_column("", overflow="fold", no_wrap=False)
    for task in tasks:
        colour = _COLOURS.get(task.state, "yellow")
        state = f"[{colour}]{task.state}[/]"
        table.add_row(task.name, state, duration(task.seconds), plain(task.reason or " "))
    return table


class Progress:
    """Tasks of a run as they go on: a table on a terminal, else a line per change."""

    def __init__(self, console: Terminal) -> None:
        """Nothing is shown yet."""
        self._console = console
        self._live = Live(console=console) if console.is_terminal else None
        self._shown: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Begin."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last table on the terminal."""
        if self._live:
            self._live.stop()

    def show(self, tasks: Sequence[Task]) -> None:
        """Show the tasks as they are now."""
        if self._live:
            self._live.update(task_table(tasks))
            return
        for task in tasks:
            state = f"{task.state}: {task.reason}" if task.reason else task.state
            if self._shown.get(task.name) != state:
                took = f" after {duration(task.seconds)}" if task.seconds else ""
                self._console.say(f"{task.name:>11} {plain(state)}{took}")
            self._shown[task.name] = state


def run_list(runs: Sequence[V2beta1Run], schedules: Mapping[str, str]) -> Table:
    """Runs, one a line; `schedules` gives names by ids."""
    table = Table(box=None, pad_edge=False)
    # A run's name should stay in one line, since other commands take it.
    longest = max((len(run.display_name or "") for run in runs), default=0)
    table.add_column("run", overflow="fold")
    table.add_column("schedule", overflow="fold", max_width=max(len("schedule"), _NAMES - longest))
    for column in ("state", "began", "took"):
        table.add_column(column, overflow="fold")
    for run in runs:
        took = None
        if run.created_at and run.finished_at and run.finished_at.year > 1970:
            took = (run.finished_at - run.created_at).total_seconds()
        state = word_of(state_of(run))
        colour = _COLOURS.get(state, "yellow")
        belongs_to = run.recurring_run_id and schedules.get(run.recurring_run_id, "deleted")
        table.add_row(
            plain(run.display_name), plain(belongs_to), f"[{colour}]{state}[/]",
            local(run.created_at)[_YEAR:], duration(took),
        )  # fmt: skip
    return table


def local(moment: datetime | None) -> str:
    """A time as this machine's clock has it; a dash for what is not known."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "–"


def duration(seconds: float | None) -> str:
    """E.g. 1:02:03; a dash for what is not known."""
    return "–" if seconds is None else str(timedelta(seconds=round(seconds)))
