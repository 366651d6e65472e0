"""KID beside what chance gives, for sets that share some, all or none of their pictures."""

import numpy as np
import pytest

from components.metrics.drift import drift_kid
from components.metrics.kid import kid
from tests.components.metrics.held import held


def drawn(seed, count=60, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, [count, 16])


def members(count, *places):
    chosen = np.zeros(count, bool)
    chosen[slice(*places)] = True
    return chosen


def test_without_shared_pictures_it_is_kid():
    rows = drawn(0)
    found = drift_kid(rows, members(60, 0, 25), members(60, 25, 60))
    assert found.kid == pytest.approx(kid(held(rows[:25], rows[25:])).value, abs=1e-8)


def test_the_same_pictures_do_not_differ():
    everything = members(60, 0, 60)
    assert drift_kid(drawn(0), everything, everything) == (0, 0)


def test_a_shared_picture_does_not_pull_the_sets_together():
    """One held against itself would: KID of overlapping sets is far below 0."""
    rows = drawn(0)
    old, new = members(60, 0, 40), members(60, 20, 60)
    assert kid(held(rows[old], rows[new])).value < -0.15
    found = drift_kid(rows, old, new)
    assert abs(found.kid) < 0.1


@pytest.mark.parametrize("shared", [0, 20, 30], ids=["none shared", "half", "only added"])
def test_chance_is_called_a_difference_about_once_in_a_hundred_times(shared):
    trials = 200
    old, new = members(60, 0, 30), members(60, 30 - shared, 60)
    found = [drift_kid(drawn(seed), old, new) for seed in range(trials)]
    called = sum(one.kid > one.chance for one in found)
    assert called <= 8, "of 200; more than 8 come once in 4,000 times if it is 1 of 100"


@pytest.mark.parametrize("shared", [0, 20, 30], ids=["none shared", "half", "only added"])
def test_a_shift_is_seen(shared):
    rows = drawn(1)
    rows[30:] += 1
    old, new = members(60, 0, 30), members(60, 30 - shared, 60)
    found = drift_kid(rows, old, new)
    assert found.kid > 2 * found.chance


def test_it_is_the_same_every_time():
    old, new = members(60, 0, 30), members(60, 20, 60)
    assert drift_kid(drawn(2), old, new) == drift_kid(drawn(2), old, new)
