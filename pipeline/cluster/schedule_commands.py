"""Commands for retraining on a schedule: ``dcgan schedule …``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pipeline.cluster.commands import connect, warn
from pipeline.options import Config, Overrides, flag, read_path
from pipeline.show import plain
from pipeline.terminal import Terminal

if TYPE_CHECKING:
    from pipeline.cluster.schedule import Applied, Schedule
    from pipeline.config import PipelineConfig

schedule = typer.Typer(help="Retraining on a schedule.", no_args_is_help=True)

_console = Terminal()
_FIRINGS = 5
_Name = Annotated[str, typer.Argument(help="Name of a schedule.", metavar="NAME")]


@schedule.command()
def apply(
    file: Annotated[
        Path, typer.Option("--file", "-f", help="The schedule.", metavar="FILE", parser=read_path)
    ],
    config: Config = None,
    overrides: Overrides = None,
    dry_run: Annotated[
        bool, flag("--dry-run", help="Change nothing; show when it would fire.")
    ] = False,
) -> None:
    """Make the server's schedule as a file says; say what was changed."""
    from pipeline.cluster import schedule as schedules
    from pipeline.cluster.checks import check_config

    wanted = schedules.read_schedule(file)
    settings = schedules.configuration(wanted, config, overrides or ())
    for warning in check_config(settings):
        warn(warning)
    if dry_run:
        _console.print(_firings(wanted))
    _say(wanted, _apply(wanted, settings, dry_run), dry_run)


@schedule.command("list")
def list_schedules(config: Config = None, overrides: Overrides = None) -> None:
    """Schedules on the server."""
    from pipeline.cluster.cron import from_kubeflow
    from pipeline.cluster.schedule import list_schedules
    from pipeline.cluster.show import local

    table = Table(box=None, pad_edge=False)
    for column in ("schedule", "cron", "state", "applied"):
        table.add_column(column, overflow="fold")
    with connect(config, overrides) as server:
        found = list_schedules(server)
    for one in found:
        cron = one.trigger and one.trigger.cron_schedule
        table.add_row(
            plain(one.display_name),
            from_kubeflow(cron.cron) if cron and cron.cron else "–",
            "[green]on[/]" if one.mode == "ENABLE" else "[yellow]paused[/]",
            local(one.created_at),
        )
    _console.print(table if table.row_count else "no schedules yet")


@schedule.command()
def pause(name: _Name, config: Config = None, overrides: Overrides = None) -> None:
    """Let a schedule start no more runs."""
    _switch(name, config, overrides, False, "paused")


@schedule.command()
def resume(name: _Name, config: Config = None, overrides: Overrides = None) -> None:
    """Let a paused schedule start runs again."""
    _switch(name, config, overrides, True, "resumed")


@schedule.command()
def delete(name: _Name, config: Config = None, overrides: Overrides = None) -> None:
    """Delete a schedule; runs that it started stay."""
    from pipeline.cluster.schedule import delete

    with connect(config, overrides) as server:
        delete(server, name)
    _console.say(f"schedule {plain(name)}: deleted")


@schedule.command("run-now")
def run_now(name: _Name, config: Config = None, overrides: Overrides = None) -> None:
    """Start a run as the schedule would, at once."""
    from pipeline.cluster.schedule import run_now

    with connect(config, overrides) as server:
        run = run_now(server, name)
        _console.say(f"run {plain(run.display_name)} started")
        _console.say(plain(server.run_link(run.run_id)))


def _apply(wanted: "Schedule", settings: "PipelineConfig", dry_run: bool) -> "Applied | None":
    """What was or would be done; None where a dry run has no server to ask."""
    from pipeline.cluster.credentials import named_host
    from pipeline.cluster.schedule import apply
    from pipeline.cluster.server import KfpServer
    from pipeline.cluster.submit import check_server

    if dry_run and not named_host(settings.cluster):
        return None
    with KfpServer(settings.cluster) as server:
        for warning in check_server(server):
            warn(warning)
        return apply(server, wanted, settings, dry_run)


def _say(wanted: "Schedule", applied: "Applied | None", dry_run: bool) -> None:
    if applied is None:
        _console.say("no server named: what would change is not known")
        return
    would_be = "would be " if dry_run and applied.action != "unchanged" else ""
    changes = f" ({', '.join(applied.changes)})" if applied.changes else ""
    _console.say(plain(f"schedule {wanted.name}: {would_be}{applied.action}{changes}"))


def _firings(wanted: "Schedule") -> Table:
    from pipeline.cluster.cron import next_firings

    table = Table(box=None, pad_edge=False)
    here = datetime.now().astimezone().tzname()
    table.add_column(f"next, on the server ({plain(wanted.time_zone)})")
    table.add_column(f"here ({here})")
    for moment in next_firings(wanted.cron, wanted.zone, _FIRINGS, datetime.now(UTC)):
        table.add_row(f"{moment:%a %Y-%m-%d %H:%M}", f"{moment.astimezone():%a %Y-%m-%d %H:%M}")
    return table


def _switch(
    name: str, config: Path | None, overrides: list[str] | None, enabled: bool, done: str
) -> None:
    from pipeline.cluster.schedule import set_enabled

    with connect(config, overrides) as server:
        changed = set_enabled(server, name, enabled)
    _console.say(f"schedule {plain(name)}: {done if changed else f'was {done} already'}")
