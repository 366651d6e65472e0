"""The command line: `dcgan run`, what looks at its results, and what is for Kubeflow."""

import functools
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from components.shared.errors import Interrupted, NotBlessed, PipelineError, UsageError
from pipeline import library, result_commands, show, terminal
from pipeline.cluster import commands
from pipeline.cluster.run_commands import runs
from pipeline.cluster.schedule_commands import schedule
from pipeline.config import PipelineConfig, parse_overrides
from pipeline.container_images import ContainerImages
from pipeline.foreseen import foreseen_errors
from pipeline.options import (
    RUNS,
    Config,
    Images,
    Overrides,
    Paranoid,
    Profile,
    PublishRoot,
    RequireBlessed,
    RunsDir,
    TakesPictures,
    flag,
)


class _Commands(TyperGroup):
    """Ends by Ctrl-C with a line, where typer ends without a word."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("stopped") from None


app = typer.Typer(
    cls=_Commands,
    help="Pictures in; a trained DCGAN, evidence of how good it is and a model to serve out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_console = terminal.Terminal()


class Runner(StrEnum):
    """Where the steps of a local run run."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


@app.command(cls=TakesPictures)
def run(
    images: Images = None,
    profile: Profile = "demo",
    config: Config = None,
    overrides: Overrides = None,
    paranoid: Paranoid = False,
    runs_dir: RunsDir = RUNS,
    publish_root: PublishRoot = None,
    runner: Annotated[
        Runner, typer.Option(help="Steps as processes, or in containers.")
    ] = Runner.SUBPROCESS,
    registry: Annotated[
        str, typer.Option(help="Of the images, as given to `make images`.", metavar="NAME")
    ] = "",
    tag: Annotated[
        str, typer.Option(help="Of the images.", metavar="TAG", show_default="made from this code")
    ] = "",
    require_blessed: RequireBlessed = False,
    open_: Annotated[
        bool, flag("--open", help="Meanwhile show the training in a browser.")
    ] = False,
    dry_run: Annotated[
        bool, flag("--dry-run", help="Say which tasks would run, and run none.")
    ] = False,
) -> None:
    """Run the whole pipeline on this machine; what did not change is not run again."""
    if (registry or tag) and runner is not Runner.DOCKER:
        raise UsageError("--registry and --tag name images: add --runner docker")
    chosen = ({"paranoid": True} if paranoid else {}) | parse_overrides(overrides or ())
    containers = ContainerImages(registry, tag) if runner is Runner.DOCKER else None
    if dry_run:
        resolved = library.resolve(images, profile, config, chosen)
        _foresee(resolved, runs_dir, publish_root, containers, require_blessed)
        return
    summary = library.run(
        images,
        profile=profile,
        config=config,
        settings=chosen,
        runs_dir=runs_dir,
        publish_root=publish_root,
        containers=containers,
        progress=_watching(runs_dir) if open_ else _say,
    )
    _console.say(show.run_table(summary))
    if require_blessed and not summary.blessed:
        raise NotBlessed(f"not blessed: {summary.blessed_reason}")


def _say(task: str, message: str) -> None:
    _console.say(show.task_line(task, message, _console.width))


def _watching(runs_dir: Path) -> Callable[[str, str], None]:
    """Say what a task says, and before its first line where the run can be watched."""
    from pipeline.watch import watch_beside

    @functools.cache
    def begin() -> None:
        watch_beside(runs_dir.absolute(), lambda message: _say("watch", message))

    def say(task: str, message: str) -> None:
        begin()
        _say(task, message)

    return say


@app.command()
def watch(
    runs_dir: RunsDir = RUNS,
    port: Annotated[
        int | None,
        typer.Option(
            help="Of this machine.",
            metavar="N",
            min=1,
            max=65535,
            show_default="the first free one from 8765 on",
        ),
    ] = None,
) -> None:
    """Show the training under way on a page: sheets, curves, speed, time left."""
    from pipeline.watch import watch as serve

    place = show.plain(str(runs_dir))
    serve(
        runs_dir.absolute(),
        port,
        lambda url: _console.print(f"watching {place} until Ctrl-C: {url}"),
    )
    _console.say("stopped watching; a training that is under way goes on")


def _foresee(
    config: PipelineConfig,
    runs_dir: Path,
    publish_root: str | None,
    containers: ContainerImages | None,
    require_blessed: bool,
) -> None:
    from pipeline.dry_run import foresee

    runs_dir = runs_dir.absolute()
    root = library.publish_root_of(publish_root, runs_dir)
    forecast = foresee(
        config, runs_dir, root, lambda line: _say(line.task, line.message), containers
    )
    _console.print(show.forecast_table(forecast.tasks), "\nnothing was run")
    if require_blessed and forecast.not_blessed:
        raise NotBlessed(f"not blessed: {forecast.not_blessed}")


@app.command()
def settings(
    section: Annotated[
        str | None,
        typer.Argument(
            help="Of one section, such as train or cluster.train, or of one key.",
            metavar="SECTION",
            show_default="all",
        ),
    ] = None,
    profile: Profile = "demo",
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """List every setting, its value and where that comes from; * is not the default."""
    from pipeline.settings import choices, listing

    for line in listing(choices(section, profile, config, overrides or ()), _console.width):
        _console.print(line)


@app.command()
def doctor(runs_dir: RunsDir = RUNS) -> None:
    """Check this machine: versions, GPU, disk, name clashes, runners."""
    from pipeline.doctor import examine

    checks = examine(runs_dir.absolute())
    _console.print(show.check_table(checks))
    if failed := [check.name for check in checks if not check.ok]:
        raise PipelineError(f"not ready: {', '.join(failed)}")


for _command in (
    result_commands.sample,
    result_commands.inspect,
    result_commands.compare,
    result_commands.publish,
):
    app.command()(_command)
app.command("compile", cls=TakesPictures)(commands.compile_)
app.command(cls=TakesPictures)(commands.submit)
app.add_typer(schedule, name="schedule")
app.add_typer(runs, name="runs")


def main() -> None:
    """Run the command line; what a person can mend ends as one line, never a traceback."""
    terminal.prepare()
    try:
        with foreseen_errors():
            app()
    except PipelineError as error:
        terminal.Terminal(stderr=True).say(f"[red]error:[/] {show.plain(str(error))}")
        sys.exit(error.exit_code)
    finally:
        terminal.flush()
