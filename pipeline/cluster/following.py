"""A run followed to its end by a command, which then ends as the run did."""

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.shared.errors import Interrupted, NotBlessed, PipelineError, UsageError
from pipeline.options import flag, read_path
from pipeline.show import plain
from pipeline.terminal import Terminal

if TYPE_CHECKING:
    from kfp_server_api import V2beta1Run

    from pipeline.cluster.server import KfpServer

Wait = Annotated[bool, flag("--wait", help="Follow the run; end with its result.")]
Fetch = Annotated[
    Path | None,
    typer.Option(
        help="Wait, then bring report, GIF and metrics there.", metavar="DIR", parser=read_path
    ),
]

_console = Terminal()


def check_free(fetch: Path | None) -> None:
    """Refuse a folder for results that is there already, or cannot be made."""
    if fetch is None:
        return
    try:
        if fetch.exists():
            raise UsageError(f"--fetch {fetch}: is there already; name a new folder")
        with tempfile.TemporaryDirectory(dir=fetch.absolute().parent):
            pass
    except OSError as error:
        raise UsageError(f"--fetch {fetch}: cannot write there ({error.strerror})") from None


def follow_to_end(
    server: "KfpServer",
    run: "V2beta1Run",
    fetch: Path | None = None,
    require_blessed: bool = False,
) -> None:
    """Show a run's tasks until it has ended, then bring its results home.

    Raises:
        Interrupted: A person stopped the run, or the following of it.
        PipelineError: The run failed; the exit code is that of the step.
        NotBlessed: Its model was not good enough, and one that is was required.
    """
    from pipeline.cluster.outputs import fetch as bring
    from pipeline.cluster.reasons import why_withheld, with_reasons
    from pipeline.cluster.runs import find_run, follow
    from pipeline.cluster.show import Progress
    from pipeline.cluster.tasks import tasks_of

    try:
        with Progress(_console) as progress:
            for now in follow(server, run):
                progress.show(with_reasons(server, tasks_of(now)))
    except KeyboardInterrupt:
        raise goes_on(run) from None
    _raise_unless_succeeded(server, now)
    withheld = why_withheld(server, now)
    _console.say(result(server, now))
    if fetch:
        for path in bring(server, find_run(server, now.run_id), fetch):
            _console.say(plain(str(path)))
    if withheld and require_blessed:
        raise NotBlessed(f"not blessed: {withheld}")


def result(server: "KfpServer", run: "V2beta1Run") -> str:
    """How a run stands, and why where it failed or published nothing."""
    from pipeline.cluster.reasons import why_failed, why_withheld
    from pipeline.cluster.tasks import state_of, word_of

    state = state_of(run)
    lines = [f"run {run.display_name}: {word_of(state)}"]
    if state == "FAILED":
        task, why, _ = why_failed(server, run)
        lines[0] += f"{f' in {task}' if task else ''}{f': {why}' if why else ''}"
    elif state == "SUCCEEDED" and (withheld := why_withheld(server, run)):
        lines.append(f"not published: {withheld}")
    return plain("\n".join(lines))


def goes_on(run: "V2beta1Run", task: str | None = None) -> Interrupted:
    """What a person is told who stops following a run, or the log of a task."""
    name = shlex.quote(run.display_name)
    again = f"logs {name} {task} -f" if task else f"show {name} --wait"
    return Interrupted(
        f"run {run.display_name} goes on; follow it by `dcgan runs {again}`, stop it by "
        f"`dcgan runs stop {name}`"
    )


def _raise_unless_succeeded(server: "KfpServer", run: "V2beta1Run") -> None:
    from pipeline.cluster.reasons import why_failed
    from pipeline.cluster.tasks import state_of

    name, state = run.display_name, state_of(run)
    if state == "CANCELED":
        raise Interrupted(f"run {name} was stopped")
    if state == "FAILED":
        task, why, exit_code = why_failed(server, run)
        where = f" in {task}" if task else ""
        failure = PipelineError(
            f"run {name} failed{where}: {why or f'see {server.run_link(run.run_id)}'}"
        )
        failure.exit_code = exit_code
        raise failure
