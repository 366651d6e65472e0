"""Retraining on a schedule: recurring runs of Kubeflow, made to be as a file says."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kfp_server_api import (
    V2beta1CronSchedule,
    V2beta1RecurringRun,
    V2beta1Run,
    V2beta1Trigger,
)
from pydantic import Field, ValidationError, field_validator

from components.shared.errors import UsageError
from components.shared.step_config import StepConfig
from pipeline.cluster import cron as crontab
from pipeline.cluster.compiling import compile_pipeline
from pipeline.cluster.server import KfpServer, NotFound
from pipeline.cluster.submit import (
    Version,
    experiment_id,
    find_experiment,
    find_version,
    run_name,
    runtime_config,
    start_run,
    upload,
)
from pipeline.config import PipelineConfig, Sources, explain, load_config, read_yaml

_MADE_BY = "Made by `dcgan schedule apply`"

Action = Literal["created", "updated", "unchanged"]


class Schedule(StepConfig):
    """A schedule as its file has it."""

    name: str = Field(min_length=1, max_length=100, description="Of the schedule on the server.")
    cron: str = Field(description="Minute, hour, day of month, month, day of week.")
    time_zone: str = Field(
        "UTC", description="Of the server, which has one for all schedules; only shown by."
    )
    source: Sources = Field(min_length=1, description="Pictures, as the pods see them.")
    profile: str = "full"
    publish_root: str = Field("", description="Else `published` on the claim.")
    catch_up: bool = Field(
        False, description="Run all that was missed while it was paused, not only the last."
    )
    concurrency: int = Field(1, ge=1, le=10, description="Most runs at a time.")
    enabled: bool = True
    settings: dict[str, Any] = Field({}, description="Over the profile, as a --config file.")

    @field_validator("cron")
    @classmethod
    def _has_five_fields(cls, cron: str) -> str:
        crontab.to_kubeflow(cron)
        return cron

    @property
    def zone(self) -> ZoneInfo:
        """The server's time zone."""
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise UsageError(
                f"time_zone (={self.time_zone!r}): no such zone; e.g. UTC or Europe/Berlin"
            ) from None


class Applied(NamedTuple):
    """What `apply` did, or would do, and which keys were not as wanted."""

    action: Action
    changes: list[str]


def read_schedule(path: Path) -> Schedule:
    """Read a schedule's file.

    Raises:
        UsageError: It cannot be read, or a key or value does not fit.
    """
    values = read_yaml(path, "schedule")
    if not isinstance(values, dict):
        raise UsageError(f"schedule {path} holds no keys: write name, cron and source")
    try:
        schedule = Schedule.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(explain(one, Schedule) for one in error.errors())
        raise UsageError(f"schedule {path}: {problems}") from None
    schedule.zone  # noqa: B018  # refuses an unknown one
    return schedule


def configuration(
    schedule: Schedule, file: Path | None = None, overrides: Sequence[str] = ()
) -> PipelineConfig:
    """The configuration of a schedule's runs; its own settings go over the file's.

    Kubeflow counts runs a schedule, and an edited schedule is a new one to it: so that the new
    one's first run does not train beside the old one's last, all of them are one queue.
    """
    if schedule.publish_root:
        overrides = [*overrides, f"cluster.publish_root={schedule.publish_root}"]
    config = load_config(
        schedule.profile, file, overrides, [schedule.source], settings=schedule.settings
    )
    if config.train.queue or schedule.concurrency > 1:
        return config
    train = config.train.model_copy(update={"queue": schedule.name})
    return config.model_copy(update={"train": train})


def apply(
    server: KfpServer, schedule: Schedule, config: PipelineConfig, dry_run: bool = False
) -> Applied:
    """Make the server's schedule as the file says; one that is so already is left alone.

    Kubeflow cannot change a recurring run, other than pause it: a changed one is made anew,
    and the old one is deleted when the new one stands.
    """
    compiled = compile_pipeline(config)
    found = _all_named(server, schedule.name)
    if dry_run:
        version = find_version(server, compiled)
        known = find_experiment(server, config.cluster.experiment)
        experiment = known and known.experiment_id
    else:
        version = upload(server, compiled)
        experiment = experiment_id(server, config.cluster.experiment)
    wanted = _wanted(schedule, config, version, experiment)
    found.sort(key=lambda one: len(_differences(one, wanted)))
    changes = _differences(found[0], wanted) if found else []
    if len(found) > 1:  # a command was stopped between making one and deleting the other
        changes.append("a second one of this name")
    action: Action = "created" if not found else "updated" if changes else "unchanged"
    if not dry_run and action != "unchanged":
        _make_so(server, found, wanted, changes)
    return Applied(action, changes)


def list_schedules(server: KfpServer) -> list[V2beta1RecurringRun]:
    """All recurring runs that `apply` made, by name."""
    listing = server.recurring_runs.recurring_run_service_list_recurring_runs
    found = filter(_is_ours, server.pages(listing, **server.scope))
    return sorted(found, key=lambda one: one.display_name or "")


def set_enabled(server: KfpServer, name: str, enabled: bool) -> bool:
    """Resume or pause a schedule; False where it was so already."""
    changed = False
    for one in _of_name(server, name):
        changed |= _is_enabled(one) != enabled
        _switch(server, one, enabled)
    return changed


def delete(server: KfpServer, name: str) -> None:
    """Delete a schedule; runs that it started stay."""
    for one in _of_name(server, name):
        _delete(server, one)


def run_now(server: KfpServer, name: str) -> V2beta1Run:
    """Start a run as the schedule would, at once."""
    one = _of_name(server, name)[0]
    wanted = V2beta1Run(
        display_name=run_name(name),
        experiment_id=one.experiment_id,
        pipeline_version_reference=one.pipeline_version_reference,
        runtime_config=one.runtime_config,
        service_account=one.service_account,
    )
    return start_run(server, wanted)[0]


def _wanted(
    schedule: Schedule, config: PipelineConfig, version: Version | None, experiment: str | None
) -> V2beta1RecurringRun:
    return V2beta1RecurringRun(
        display_name=schedule.name,
        description=_description(config),
        experiment_id=experiment,
        pipeline_version_reference=version and version.reference,
        runtime_config=runtime_config(config),
        service_account=config.cluster.service_account or None,
        trigger=V2beta1Trigger(
            cron_schedule=V2beta1CronSchedule(cron=crontab.to_kubeflow(schedule.cron))
        ),
        max_concurrency=str(schedule.concurrency),
        no_catchup=not schedule.catch_up,
        mode="ENABLE" if schedule.enabled else "DISABLE",
    )


def _description(config: PipelineConfig) -> str:
    return f"{_MADE_BY} for the account {config.cluster.service_account or 'of the server'}"


def _differences(one: V2beta1RecurringRun, wanted: V2beta1RecurringRun) -> list[str]:
    """What is not as wanted, in the words of the schedule's file."""
    is_now, asked = _facts(one), _facts(wanted)
    changed = [key for key in asked if is_now[key] != asked[key]]
    # Where no account is asked for the server fills in its own, so what was asked for is noted.
    asked_for = one.service_account if wanted.service_account else None
    if (asked_for, one.description) != (wanted.service_account, wanted.description):
        changed.append("service account")
    return changed + _changed_parameters(
        one.runtime_config and one.runtime_config.parameters, wanted.runtime_config.parameters
    )


def _facts(one: V2beta1RecurringRun) -> dict[str, Any]:
    reference, runtime, trigger = (
        one.pipeline_version_reference, one.runtime_config, one.trigger,
    )  # fmt: skip
    schedule = trigger and trigger.cron_schedule
    return {
        "cron": schedule and schedule.cron,
        "catch_up": not one.no_catchup,
        "concurrency": int(one.max_concurrency or 0),
        "enabled": _is_enabled(one),
        "pipeline version": reference and reference.pipeline_version_id,
        "experiment": one.experiment_id,
        "pipeline root": (runtime and runtime.pipeline_root) or "",
    }


def _changed_parameters(now: Any, wanted: Any, prefix: str = "") -> list[str]:
    if isinstance(now, dict) and isinstance(wanted, dict):
        keys = sorted(now.keys() | wanted.keys())
        changed = [
            _changed_parameters(now.get(key), wanted.get(key), f"{prefix}{key}.") for key in keys
        ]
        return [key for keys in changed for key in keys]
    return [] if now == wanted else [prefix.rstrip(".").replace("_config.", ".")]


def _make_so(
    server: KfpServer,
    found: list[V2beta1RecurringRun],
    wanted: V2beta1RecurringRun,
    changes: list[str],
) -> None:
    if found and set(changes) <= {"enabled", "a second one of this name"}:
        _switch(server, found[0], _is_enabled(wanted))
        outdated = found[1:]
    else:
        old = {one.recurring_run_id for one in found}

        def landed() -> V2beta1RecurringRun | None:
            others = _all_named(server, wanted.display_name)
            return next((one for one in others if one.recurring_run_id not in old), None)

        create = server.recurring_runs.recurring_run_service_create_recurring_run
        server.call(create, wanted, landed=landed)
        outdated = found
    for one in outdated:
        _delete(server, one)


def _all_named(server: KfpServer, name: str) -> list[V2beta1RecurringRun]:
    listing = server.recurring_runs.recurring_run_service_list_recurring_runs
    found = list(server.named(listing, name, **server.scope))
    if not all(map(_is_ours, found)):
        raise UsageError(
            f"schedule {name!r} on {server.host} was not made by `dcgan schedule apply`: give "
            "yours another name, or delete that one on Kubeflow's pages"
        )
    return found


def _is_ours(one: V2beta1RecurringRun) -> bool:
    return (one.description or "").startswith(_MADE_BY)


def _of_name(server: KfpServer, name: str) -> list[V2beta1RecurringRun]:
    if found := _all_named(server, name):
        return found
    raise NotFound(f"no schedule {name!r} on {server.host}; see `dcgan schedule list`")


def _is_enabled(one: V2beta1RecurringRun) -> bool:
    return bool(one.mode == "ENABLE")


def _switch(server: KfpServer, one: V2beta1RecurringRun, enabled: bool) -> None:
    service = server.recurring_runs
    enable = service.recurring_run_service_enable_recurring_run
    disable = service.recurring_run_service_disable_recurring_run
    server.call(enable if enabled else disable, one.recurring_run_id)


def _delete(server: KfpServer, one: V2beta1RecurringRun) -> None:
    request = server.recurring_runs.recurring_run_service_delete_recurring_run
    with contextlib.suppress(NotFound):  # gone already, perhaps by the try before
        # Otherwise a training under way, which belongs to it, would be deleted too.
        server.call(request, one.recurring_run_id, propagation_policy="ORPHAN")
