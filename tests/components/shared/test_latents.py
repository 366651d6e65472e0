import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.shared.latents import slerp

FRACTIONS = st.floats(0, 1)


def turn(degrees, length=1.0):
    return length * np.array([[np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]])


@given(st.floats(0.001, 179.9), FRACTIONS)
def test_a_fraction_of_the_way_is_that_fraction_of_the_angle(angle, fraction):
    np.testing.assert_allclose(
        slerp(turn(0), turn(angle), fraction), turn(fraction * angle), atol=1e-9
    )


def test_ends_are_met_and_lengths_lie_between_those_of_the_ends():
    start, end = turn(20, length=2), turn(110, length=8)
    np.testing.assert_allclose(slerp(start, end, 0), start)
    np.testing.assert_allclose(slerp(start, end, 1), end, atol=1e-12)
    # At right angles the weights are cosine and sine.
    middle = np.linalg.norm(slerp(start, end, 0.5))
    assert middle == pytest.approx(np.sqrt((2**2 + 8**2) / 2))


@given(FRACTIONS, st.sampled_from([0, 1e-7, 1e-12]))
def test_parallel_rows_go_straight(fraction, degrees):
    moved = slerp(turn(0), turn(degrees, length=3), fraction)
    np.testing.assert_allclose(moved, turn(0, length=1 + 2 * fraction), atol=1e-6)


@given(FRACTIONS)
def test_opposite_rows_go_straight_as_all_do_in_one_dimension(fraction):
    start, end = np.array([[2.0], [1.0]]), np.array([[-2.0], [3.0]])
    expected = (1 - fraction) * start + fraction * end
    np.testing.assert_allclose(slerp(start, end, fraction), expected, atol=1e-12)


def test_each_row_goes_its_own_way():
    start = np.concatenate([turn(0), turn(0), turn(0)])
    end = np.concatenate([turn(90), turn(0, length=3), turn(180)])
    expected = np.concatenate([turn(45), turn(0, length=2), [[0, 0]]])
    np.testing.assert_allclose(slerp(start, end, 0.5), expected, atol=1e-12)
