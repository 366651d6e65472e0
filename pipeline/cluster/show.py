"""How the command line shows what is on Kubeflow, within 80 columns."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Self

from kfp_server_api import V2beta1Run
from rich.console import Console
from rich.live import Live
from rich.table import Table

from pipeline.cluster.runs import Task, state_of
from pipeline.show import plain

_COLOURS = {"succeeded": "green", "cached": "green", "running": "cyan", "failed": "red"}


def task_table(tasks: Iterable[Task]) -> Table:
    """Tasks of a run, their states and how long they took."""
    table = Table(box=None, pad_edge=False)
    for column in ("task", "state", "took"):
        table.add_column(column)
    for task in tasks:
        colour = _COLOURS.get(task.state, "yellow")
        table.add_row(task.name, f"[{colour}]{task.state}[/]", duration(task.seconds))
    return table


class Progress:
    """Tasks of a run as they go on: a table on a terminal, else a line per change."""

    def __init__(self, console: Console) -> None:
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
            if self._shown.get(task.name) != task.state:
                took = f" after {duration(task.seconds)}" if task.seconds else ""
                self._console.print(f"{task.name:>11} {task.state}{took}")
            self._shown[task.name] = task.state


def run_list(runs: Sequence[V2beta1Run]) -> Table:
    """Runs, one a line."""
    table = Table(box=None, pad_edge=False)
    for column in ("run", "state", "began", "took"):
        table.add_column(column, overflow="fold")
    for run in runs:
        took = None
        if run.created_at and run.finished_at and run.finished_at.year > 1970:
            took = (run.finished_at - run.created_at).total_seconds()
        state = state_of(run).lower()
        colour = _COLOURS.get(state, "yellow")
        table.add_row(
            plain(run.display_name), f"[{colour}]{state}[/]", local(run.created_at), duration(took)
        )
    return table


def local(moment: datetime | None) -> str:
    """A time as this machine's clock has it; a dash for what is not known."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}" if moment else "–"


def duration(seconds: float | None) -> str:
    """E.g. 1:02:03; a dash for what is not known."""
    return "–" if seconds is None else str(timedelta(seconds=round(seconds)))
