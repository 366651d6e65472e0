"""Commands that bring the pipeline to Kubeflow: ``dcgan compile | submit``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.shared.errors import UsageError
from pipeline.cluster.following import Fetch, Wait, check_free, follow_to_end
from pipeline.config import load_config
from pipeline.options import (
    Config,
    Images,
    Overrides,
    Paranoid,
    Profile,
    RequireBlessed,
    check_ending,
    read_path,
)
from pipeline.show import plain
from pipeline.terminal import Terminal

if TYPE_CHECKING:
    from pipeline.cluster.server import KfpServer

_console = Terminal()


def compile_(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="YAML to write.", metavar="FILE", parser=read_path),
    ],
    images: Images = None,
    profile: Profile = "full",
    config: Config = None,
    overrides: Overrides = None,
) -> None:
    """Write the pipeline as Kubeflow takes it; the same code and settings, the same file."""
    from pipeline.cluster.checks import check_config
    from pipeline.cluster.compiling import compile_pipeline

    check_ending("--output", output, ".yaml", ".yml")
    settings = load_config(profile, config, overrides or (), images)
    for warning in check_config(settings):
        warn(warning)
    compiled = compile_pipeline(settings)
    try:
        output.write_text(compiled.text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--output {output}: cannot write there ({error.strerror})") from None
    _console.say(f"version {compiled.name}: {plain(str(output))}")


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
    wait: Wait = False,
    fetch: Fetch = None,
    require_blessed: RequireBlessed = False,
) -> None:
    """Start a run on Kubeflow, after checking all that can be checked from here."""
    from pipeline.cluster import submit as submitting
    from pipeline.cluster.checks import check_config
    from pipeline.cluster.server import KfpServer

    asked = {"paranoid": True} if paranoid else None
    settings = load_config(profile, config, overrides or (), images, asked)
    warnings = check_config(settings)
    check_free(fetch)
    with KfpServer(settings.cluster) as server:
        for warning in [*warnings, *submitting.check_server(server)]:
            warn(warning)
        submitted = submitting.upload_and_start(settings, server, name or submitting.run_name())
        version, run = submitted.version, submitted.run
        uploaded = "uploaded" if version.is_new else "there already"
        _console.say(f"version {version.name}: {uploaded}")
        started = "started" if submitted.is_new else "was started before, and not again"
        _console.say(f"run {plain(run.display_name)} {started}")
        _console.say(plain(server.run_link(run.run_id)))
        if wait or fetch or require_blessed:
            follow_to_end(server, run, fetch, require_blessed)


def connect(config: Path | None, overrides: list[str] | None) -> "KfpServer":
    """The server that the configuration names."""
    from pipeline.cluster.server import KfpServer

    return KfpServer(load_config(None, config, overrides or ()).cluster)


def warn(sentence: str) -> None:
    """Say what may go wrong, apart from the command's own output."""
    Terminal(stderr=True).say(f"[yellow]warning:[/] {plain(sentence)}")
