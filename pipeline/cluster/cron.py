"""When a schedule fires: five fields for people, six for Kubeflow."""

import itertools
import re
from datetime import datetime, tzinfo

from cronsim import CronSim, CronSimError

from components.shared.errors import UsageError

FIELDS = ("minute", "hour", "day of month", "month", "day of week")

# What cronsim and Kubeflow's parser (robfig/cron) both understand, and alike.
_PART = re.compile(r"(\*|\d\d?(-\d\d?)?|[a-z]{3}(-[a-z]{3})?)(/\d\d?)?", re.IGNORECASE)


def to_kubeflow(cron: str) -> str:
    """Translate a five-field cron expression to Kubeflow's six, of which the first is seconds.

    Raises:
        UsageError: It has not five fields, or one of them is wrong.
    """
    return " ".join(("0", *_fields(cron)))


def from_kubeflow(cron: str) -> str:
    """Five fields where the seconds are 0, for people to read; else as it is."""
    return cron.removeprefix("0 ") if len(cron.split()) == len(FIELDS) + 1 else cron


def next_firings(cron: str, zone: tzinfo, count: int, after: datetime) -> list[datetime]:
    """The next times at which a five-field expression fires, in the server's time zone.

    Raises:
        UsageError: It is wrong, or never fires.
    """
    simulated = CronSim(" ".join(_fields(cron)), after.astimezone(zone))
    if firings := list(itertools.islice(simulated, count)):
        return firings
    raise UsageError(f"cron {cron!r} never fires: no year has such a day")


def _fields(cron: str) -> list[str]:
    fields = cron.split()
    if len(fields) == len(FIELDS) + 1:
        raise UsageError(
            f"cron {cron!r} has six fields: leave out the seconds, which Kubeflow has in front "
            f"and others at the end; the five are {', '.join(FIELDS)}"
        )
    if len(fields) != len(FIELDS):
        raise UsageError(f"cron {cron!r} has {len(fields)} fields: write {', '.join(FIELDS)}")
    for name, field in zip(FIELDS, fields, strict=True):
        _check(cron, name, field)
    try:
        CronSim(" ".join(fields), datetime(2026, 1, 1))
    except CronSimError as error:
        raise UsageError(f"cron {cron!r}: {str(error).lower()}; e.g. '0 3 * * 1'") from None
    return fields


def _check(cron: str, name: str, field: str) -> None:
    if not all(_PART.fullmatch(part) for part in field.split(",")):
        raise UsageError(
            f"cron {cron!r}: {name} {field!r}: write *, numbers, names, ranges (1-5), lists "
            "(1,15) and steps (*/10)"
        )
    if name == FIELDS[-1] and ("7" in field or re.search(r"(^|,)\w+/", field)):
        # Where 7 is a Sunday too, 1/2 goes on to it; in Kubeflow it does not.
        raise UsageError(
            f"cron {cron!r}: {name} {field!r}: write 0 for Sunday, 1 to 6, or names; and steps "
            "of a range, as in 1-6/2"
        )
