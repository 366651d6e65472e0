"""Cron: five fields for people, six for Kubeflow."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from components.shared.errors import UsageError
from pipeline.cluster.cron import from_kubeflow, next_firings, to_kubeflow

MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("cron", ["0 3 * * 1", "*/15 8-18 1,15 jan-MAR mon-fri", "5/15 * * * *"])
def test_seconds_come_first(cron):
    assert to_kubeflow(cron) == f"0 {cron}"
    assert from_kubeflow(to_kubeflow(cron)) == cron


def test_what_people_wrote_elsewhere_is_shown_as_it_is():
    assert from_kubeflow("30 0 3 * * 1") == "30 0 3 * * 1"
    assert from_kubeflow("@daily") == "@daily"


@pytest.mark.parametrize(
    ("cron", "reason"),
    [
        ("0 0 3 * * 1", "has six fields: leave out the seconds"),
        ("0 3 * *", "has 4 fields"),
        ("", "has 0 fields"),
        ("@daily", "has 1 fields"),
        ("0 25 * * *", "bad hour"),
        ("60 3 * * *", "bad minute"),
        ("0 3 * 13 *", "bad month"),
        ("*/0 3 * * *", "bad minute"),
        ("0 3 30 2 *", "bad day-of-month"),
        ("0 3 * * 7", "write 0 for Sunday"),  # Kubeflow's parser knows 0 to 6
        ("0 3 * * 1/2", "steps of a range"),
        ("0 3 * * 5-7", "write 0 for Sunday"),
        ("0 3 L * *", "day of month 'L': write"),  # cronsim knows it, Kubeflow does not
        ("0 3 * * 5#2", "day of week '5#2': write"),
        ("0 3 ? * 1", "day of month '?': write"),
    ],
)
def test_what_the_two_parsers_do_not_read_alike_is_refused(cron, reason):
    with pytest.raises(UsageError) as error:
        to_kubeflow(cron)
    assert f"cron {cron!r}" in str(error.value)
    assert reason in str(error.value)


def test_firings_are_in_the_servers_time_zone():
    kolkata = ZoneInfo("Asia/Kolkata")
    firings = next_firings("0 3 * * 1", kolkata, 2, MONDAY_NOON)
    assert firings == [
        datetime(2026, 11, 30, 3, tzinfo=kolkata),
        datetime(2026, 12, 7, 3, tzinfo=kolkata),
    ]
    assert firings[0].astimezone(UTC) == datetime(2026, 11, 29, 21, 30, tzinfo=UTC)
