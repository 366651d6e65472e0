"""The command line: `dcgan run`, what looks at its results, and what is for Kubeflow."""

import errno
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from components.shared.buckets import is_remote, names_bucket
from components.shared.contracts import MODEL_NAME, MOST_PICTURES
from components.shared.errors import NotBlessed, PipelineError, UsageError
from components.shared.process import storage_error
from pipeline import show
from pipeline.cluster import commands
from pipeline.cluster.run_commands import runs
from pipeline.cluster.schedule_commands import schedule
from pipeline.config import PipelineConfig, load_config
from pipeline.container_images import ContainerImages
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
)
from pipeline.results import read_run

app = typer.Typer(
    help="Pictures in; a trained DCGAN, evidence of how good it is and a model to serve out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# Bound to the real stdout, which a run replaces while kfp prints to it.
_console = Console(file=sys.stdout, highlight=False, emoji=False, soft_wrap=True)


class Runner(StrEnum):
    """Where the steps of a local run run."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


@app.command()
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which tasks would run, and run none.")
    ] = False,
) -> None:
    """Run the whole pipeline on this machine; what did not change is not run again."""
    from pipeline.local import run_locally

    if (registry or tag) and runner is not Runner.DOCKER:
        raise UsageError("--registry and --tag name images: add --runner docker")
    asked = {"paranoid": True} if paranoid else None
    settings = load_config(profile, config, overrides or (), images, asked)
    runs_dir = runs_dir.expanduser().absolute()
    containers = ContainerImages(registry, tag) if runner is Runner.DOCKER else None
    root = _publish_root(publish_root, runs_dir)
    if dry_run:
        _foresee(settings, runs_dir, root, containers, require_blessed)
        return
    summary = run_locally(
        settings,
        runs_dir,
        root,
        lambda line: _console.print(show.step_line(line, _console.width)),
        containers,
    )
    _console.print(show.run_table(summary))
    if require_blessed and not summary.values["blessed"]:
        raise NotBlessed(f"not blessed: {summary.values['blessed_reason']}")


def _foresee(
    settings: PipelineConfig,
    runs_dir: Path,
    publish_root: str,
    containers: ContainerImages | None,
    require_blessed: bool,
) -> None:
    from pipeline.dry_run import foresee

    forecast = foresee(settings, runs_dir, publish_root, containers)
    _console.print(show.forecast_table(forecast.tasks), "\nnothing was run")
    if require_blessed and forecast.not_blessed:
        raise NotBlessed(f"not blessed: {forecast.not_blessed}")


@app.command()
def sample(
    model: Annotated[
        str | None,
        typer.Option(
            help="A run, a published model or version, in a bucket, too, or a .keras file.",
            metavar="PATH",
            show_default="runs/latest",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="Instead: a model that TensorFlow Serving serves, http://…/v1/models/NAME.",
            metavar="URL",
        ),
    ] = None,
    count: Annotated[int, typer.Option(help="Pictures to draw.", min=1, max=MOST_PICTURES)] = 16,
    seed: Annotated[
        int, typer.Option(help="The same seed draws the same.", min=0, max=2**31 - 1)
    ] = 0,
    truncation: Annotated[
        float, typer.Option(help="0 to 1; less is more typical and less varied.")
    ] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option(help="One PNG of all, as a grid.", metavar="FILE", show_default="samples.png"),
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(help="Instead: each as a file, sample-0000.png, ….", metavar="DIR"),
    ] = None,
) -> None:
    """Draw pictures from a trained generator, on this machine or where it is served."""
    from pipeline import endpoint as served
    from pipeline import sampling

    if model is not None and endpoint is not None:
        raise UsageError("--model and --endpoint each name a model: give one of them")
    if out is not None and out_dir is not None:
        raise UsageError("--out makes one file, --out-dir one for each picture: give one of them")
    if not 0 <= truncation <= 1:
        raise UsageError(f"--truncation is {truncation}: give a number from 0 to 1")
    if endpoint is not None:
        pngs = served.draw(endpoint, count, seed, truncation)
    else:
        if model and is_remote(model):
            model = _bucket_address("--model", model)
        pngs = sampling.draw(model or "runs/latest", count, seed, truncation)
    if out_dir is not None:
        sampling.save_each(pngs, out_dir)
    else:
        out = out or Path("samples.png")
        sampling.save_grid(pngs, out)
    _console.print(show.plain(f"{count} samples, seed {seed}: {out_dir or out}"))


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
    """List every knob: meaning, range, default, value, and where that comes from."""
    from pipeline.settings import listing
    from pipeline.settings import settings as read_settings

    for line in listing(read_settings(section, profile, config, overrides or ()), _console.width):
        _console.print(line)


@app.command()
def inspect(
    run: Annotated[Path, typer.Argument(help="A run, e.g. runs/latest.", metavar="RUN")],
) -> None:
    """Show what a finished run did, its scores and where its files are."""
    _console.print(show.run_table(read_run(run, show.NEEDED)))


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="At least two runs.", metavar="RUN")],
    out: Annotated[Path, typer.Option(help="Page to write.", metavar="FILE")] = Path(
        "comparison.html"
    ),
) -> None:
    """Show runs side by side, as one page: scores, pictures, settings that differ."""
    from pipeline.side_by_side import write_side_by_side

    if warning := write_side_by_side(runs, out):
        _console.print(f"[yellow]beware:[/] {warning}")
    _console.print(f"{len(runs)} runs side by side: {show.plain(str(out))}")


@app.command()
def publish(
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Serve the version before, withdraw the newest.")
    ] = False,
    publish_root: PublishRoot = None,
    name: Annotated[
        str, typer.Option(help="Of the model, export.model_name.", metavar="NAME")
    ] = MODEL_NAME,
) -> None:
    """Go back to the published version before; what was withdrawn is not published again."""
    from components.export.publish import roll_back

    if not rollback:
        raise UsageError("dcgan publish only goes back: add --rollback; `dcgan run` publishes")
    root = _publish_root(publish_root, RUNS)
    done = roll_back(root, name)
    _console.print(
        f"{show.plain(f'{root}/{name}')}:\n"
        f"version {done.version} is served now, a copy of version {done.copied}\n"
        f"version {done.withdrawn} is withdrawn, and no run publishes it again"
    )


@app.command()
def doctor(runs_dir: RunsDir = RUNS) -> None:
    """Check this machine: versions, GPU, disk, name clashes, runners."""
    from pipeline.doctor import examine

    checks = examine(runs_dir.expanduser().absolute())
    _console.print(show.check_table(checks))
    if failed := [check.name for check in checks if not check.ok]:
        raise PipelineError(f"not ready: {', '.join(failed)}")


app.command("compile")(commands.compile_)
app.command()(commands.submit)
app.add_typer(schedule, name="schedule")
app.add_typer(runs, name="runs")


def _publish_root(given: str | None, runs_dir: Path) -> str:
    if given and is_remote(given):
        return _bucket_address("--publish-root", given)
    return str(Path(given or runs_dir / "published").expanduser().absolute())


def _bucket_address(option: str, given: str) -> str:
    if not names_bucket(given):
        raise UsageError(
            f"{option} {given}: no address in a bucket: pass gs://bucket/…, s3://bucket/… or a "
            "folder"
        )
    return given.rstrip("/")


def main() -> None:
    """Run the command line; what a person can mend ends as one line, never a traceback."""
    try:
        app()
    except PipelineError as error:
        _fail(str(error), error.exit_code)
    except OSError as error:
        if known := storage_error(error):
            _fail(str(known), known.exit_code)
        if error.errno in {errno.ENAMETOOLONG, errno.ELOOP}:
            _fail(f"{error.strerror}: {error.filename}: name another path", UsageError.exit_code)
        raise


def _fail(message: str, exit_code: int) -> None:
    Console(stderr=True, highlight=False, emoji=False, soft_wrap=True).print(
        f"[red]error:[/] {show.plain(message)}"
    )
    sys.exit(exit_code)
