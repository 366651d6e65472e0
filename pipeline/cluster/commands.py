"""Commands for Kubeflow: ``dcgan compile | submit | runs``."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from components.shared.errors import Interrupted, PipelineError, UsageError
from pipeline.config import load_config
from pipeline.options import Config, Images, Overrides, Paranoid, Profile
from pipeline.show import plain

if TYPE_CHECKING:
    from kfp_server_api import V2beta1Run

    from pipeline.cluster.server import KfpServer

runs = typer.Typer(help="Runs on Kubeflow.", no_args_is_help=True)

_console = Console(highlight=False, soft_wrap=True)
_Wait = Annotated[bool, typer.Option("--wait", help="Follow the run; end with its result.")]
_Fetch = Annotated[
    Path | None,
    typer.Option(help="Wait, then bring report, GIF and metrics there.", metavar="DIR"),
]
_Run = Annotated[str, typer.Argument(help="Name of a run, or its id.", metavar="RUN")]


def compile_(
    output: Annotated[Path, typer.Option("--output", "-o", help="YAML to write.", metavar="FILE")],
    images: Images = None,
    profile: Profile = "full",
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Write the pipeline as Kubeflow takes it; the same code and settings, the same file."""
    from pipeline.cluster.compiling import compile_pipeline
    from pipeline.cluster.submit import check_config

    settings = load_config(profile, config, overrides or (), images)
    for warning in check_config(settings):
        warn(warning)
    compiled = compile_pipeline(settings)
    try:
        output.write_text(compiled.text)
    except OSError as error:
        raise UsageError(f"--output {output}: cannot write there ({error.strerror})") from None
    _console.print(f"version {compiled.name}: {plain(str(output))}")


def submit(
    images: Images = None,
    profile: Profile = "full",
    config: Config = None,
    overrides: Overrides = None,
    paranoid: Paranoid = False,
    name: Annotated[
        str | None,
        typer.Option(
            help="Of the run; one that exists is not started again.",
            metavar="NAME",
            show_default="made from the time",
        ),
    ] = None,
    wait: _Wait = False,
    fetch: _Fetch = None,
) -> None:
    """Start a run on Kubeflow, after checking all that can be checked from here."""
    from pipeline.cluster import submit as submitting
    from pipeline.cluster.server import KfpServer

    asked = {"paranoid": True} if paranoid else None
    settings = load_config(profile, config, overrides or (), images, asked)
    warnings = submitting.check_config(settings)
    _check_free(fetch)
    with KfpServer(settings.cluster) as server:
        for warning in [*warnings, *submitting.check_server(server)]:
            warn(warning)
        submitted = submitting.submit(settings, server, name or submitting.run_name())
        version, run = submitted.version, submitted.run
        uploaded = "uploaded" if version.is_new else "there already"
        _console.print(f"version {version.name}: {uploaded}")
        started = "started" if submitted.is_new else "was started before, and not again"
        _console.print(f"run {plain(run.display_name)} {started}")
        _console.print(plain(server.run_link(run.run_id)))
        if wait or fetch:
            _follow(server, run)
        if fetch:
            _fetch(server, run, fetch)


@runs.command("list")
def list_runs(
    config: Config = None,
    overrides: Overrides = None,
    count: Annotated[int, typer.Option(help="Most runs to show.", min=1, max=1000)] = 20,
) -> None:
    """The newest runs of the experiment."""
    from pipeline.cluster.runs import newest_runs
    from pipeline.cluster.show import run_list
    from pipeline.cluster.submit import find_experiment

    with connect(config, overrides) as server:
        experiment = find_experiment(server, server.config.experiment)
        found = newest_runs(server, experiment.experiment_id, count) if experiment else []
    _console.print(run_list(found) if found else "no runs yet")


@runs.command("show")
def show_run(
    run: _Run,
    config: Config = None,
    overrides: Overrides = None,
    wait: _Wait = False,
    fetch: _Fetch = None,
) -> None:
    """A run's tasks, their states and times."""
    from pipeline.cluster.runs import find_run, state_of, tasks_of
    from pipeline.cluster.show import task_table

    _check_free(fetch)
    with connect(config, overrides) as server:
        found = find_run(server, run)
        _console.print(plain(server.run_link(found.run_id)))
        if wait or fetch:
            _follow(server, found)
        else:
            _console.print(task_table(tasks_of(found)))
            _console.print(f"run {plain(found.display_name)}: {state_of(found).lower()}")
        if fetch:
            _fetch(server, found, fetch)


@runs.command("stop")
def stop_run(run: _Run, config: Config = None, overrides: Overrides = None) -> None:
    """Stop a run; the next one goes on from its last checkpoint."""
    from pipeline.cluster.runs import find_run, state_of, stop

    with connect(config, overrides) as server:
        found = find_run(server, run)
        if stop(server, found):
            _console.print(f"run {plain(found.display_name)}: being stopped")
        else:
            state = state_of(find_run(server, found.run_id)).lower()
            _console.print(f"run {plain(found.display_name)}: {state} already")


@runs.command("logs")
def show_log(
    run: _Run,
    task: Annotated[str, typer.Argument(help="Which task's.", metavar="TASK")] = "train",
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Log of one task, of all its tries."""
    from pipeline.cluster.outputs import log_of
    from pipeline.cluster.runs import find_run

    with connect(config, overrides) as server:
        sys.stdout.write(log_of(server, find_run(server, run), task))


def connect(config: Path | None, overrides: list[str] | None) -> "KfpServer":
    """The server that the configuration names."""
    from pipeline.cluster.server import KfpServer

    return KfpServer(load_config(None, config, overrides or ()).cluster)


def warn(sentence: str) -> None:
    """Say what may go wrong, apart from the command's own output."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[yellow]warning:[/] {plain(sentence)}"
    )


def _follow(server: "KfpServer", run: "V2beta1Run") -> None:
    """Show a run's tasks until it has ended; raise unless it succeeded."""
    from pipeline.cluster.runs import follow, tasks_of
    from pipeline.cluster.show import Progress

    try:
        with Progress(_console) as progress:
            for now in follow(server, run):
                progress.show(tasks_of(now))
    except KeyboardInterrupt:
        raise Interrupted(
            f"run {run.display_name} goes on; follow it by `dcgan runs show {run.display_name} "
            f"--wait`, stop it by `dcgan runs stop {run.display_name}`"
        ) from None
    _end_as(server, now)


def _end_as(server: "KfpServer", run: "V2beta1Run") -> None:
    """Give a run's own result as this command's."""
    from pipeline.cluster.outputs import error_of
    from pipeline.cluster.runs import state_of, tasks_of

    name, state = run.display_name, state_of(run)
    if state in {"SUCCEEDED", "SKIPPED"}:
        _console.print(f"run {plain(name)}: {state.lower()}")
        return
    if state == "CANCELED":
        raise Interrupted(f"run {name} was stopped")
    task = next((task.name for task in tasks_of(run) if task.state == "failed"), None)
    error = error_of(server, run, task) if task else None
    why = error.message if error else f"see {server.run_link(run.run_id)}"
    failure = PipelineError(f"run {name} failed{f' in {task}' if task else ''}: {why}")
    failure.exit_code = (error and error.exit_code) or PipelineError.exit_code
    raise failure


def _check_free(fetch: Path | None) -> None:
    if fetch is None:
        return
    try:
        if fetch.exists():
            raise UsageError(f"--fetch {fetch}: is there already; name a new folder")
        with tempfile.TemporaryDirectory(dir=fetch.absolute().parent):
            pass
    except OSError as error:
        raise UsageError(f"--fetch {fetch}: cannot write there ({error.strerror})") from None


def _fetch(server: "KfpServer", run: "V2beta1Run", folder: Path) -> None:
    from pipeline.cluster.outputs import fetch
    from pipeline.cluster.runs import find_run

    for path in fetch(server, find_run(server, run.run_id), folder):
        _console.print(plain(str(path)))
