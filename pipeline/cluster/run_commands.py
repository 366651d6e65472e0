"""Commands for runs on Kubeflow: ``dcgan runs …``."""

import sys
from typing import Annotated

import typer

from pipeline.cluster.commands import connect
from pipeline.cluster.following import Fetch, Wait, check_free, follow_to_end, goes_on, result
from pipeline.options import Config, Overrides, RequireBlessed, flag
from pipeline.show import plain
from pipeline.terminal import Terminal

runs = typer.Typer(help="Runs on Kubeflow.", no_args_is_help=True)

_console = Terminal()
_Run = Annotated[str, typer.Argument(help="Name of a run, or its id.", metavar="RUN")]


@runs.command("list")
def list_runs(
    config: Config = None,
    overrides: Overrides = None,
    count: Annotated[int, typer.Option(help="Most runs to show.", min=1, max=1000)] = 20,
) -> None:
    """The newest runs of the experiment."""
    from pipeline.cluster.runs import newest_runs, schedule_names
    from pipeline.cluster.show import run_list
    from pipeline.cluster.submit import find_experiment

    with connect(config, overrides) as server:
        experiment = find_experiment(server, server.config.experiment)
        found = newest_runs(server, experiment.experiment_id, count) if experiment else []
        schedules = schedule_names(server, found)
    _console.print(run_list(found, schedules) if found else "no runs yet")


@runs.command("show")
def show_run(
    run: _Run,
    config: Config = None,
    overrides: Overrides = None,
    wait: Wait = False,
    fetch: Fetch = None,
    require_blessed: RequireBlessed = False,
) -> None:
    """A run's tasks, their states and times."""
    from pipeline.cluster.reasons import with_reasons
    from pipeline.cluster.runs import find_run
    from pipeline.cluster.show import task_table
    from pipeline.cluster.tasks import tasks_of

    check_free(fetch)
    with connect(config, overrides) as server:
        found = find_run(server, run)
        _console.say(plain(server.run_link(found.run_id)))
        if wait or fetch or require_blessed:
            follow_to_end(server, found, fetch, require_blessed)
        else:
            _console.print(task_table(with_reasons(server, tasks_of(found))))
            _console.print(result(server, found))


@runs.command("stop")
def stop_run(run: _Run, config: Config = None, overrides: Overrides = None) -> None:
    """Stop a run; the next one goes on from its last checkpoint."""
    from pipeline.cluster.runs import find_run, stop
    from pipeline.cluster.tasks import state_of, word_of

    with connect(config, overrides) as server:
        found = find_run(server, run)
        if stop(server, found):
            _console.say(f"run {plain(found.display_name)}: being stopped")
        else:
            state = word_of(state_of(find_run(server, found.run_id)))
            _console.say(f"run {plain(found.display_name)}: {state} already")


@runs.command("retry")
def retry_run(
    run: _Run, config: Config = None, overrides: Overrides = None, wait: Wait = False
) -> None:
    """Have a failed run go on at the task that failed; what it did before stays."""
    from pipeline.cluster.runs import find_run, retry

    with connect(config, overrides) as server:
        found = find_run(server, run)
        retry(server, found)
        _console.say(f"run {plain(found.display_name)}: goes on")
        _console.say(plain(server.run_link(found.run_id)))
        if wait:
            follow_to_end(server, found)


@runs.command("logs")
def show_log(
    run: _Run,
    task: Annotated[str, typer.Argument(help="Which task's.", metavar="TASK")] = "train",
    config: Config = None,
    overrides: Overrides = None,
    follow: Annotated[bool, flag("--follow", "-f", help="Go on until the task has ended.")] = False,
) -> None:
    """Log of one task, of all its tries."""
    from pipeline.cluster.outputs import follow_log, log_of
    from pipeline.cluster.runs import find_run

    with connect(config, overrides) as server:
        found = find_run(server, run)
        if not follow:
            sys.stdout.write(log_of(server, found, task))
            return
        try:
            for part in follow_log(server, found, task):
                sys.stdout.write(part)
                sys.stdout.flush()
        except KeyboardInterrupt:
            raise goes_on(found, task) from None
