import numpy as np
import pytest

from components.shared.latents import slerp


def test_the_way_between_right_angles_is_a_quarter_of_a_circle():
    way = slerp(np.array([1.0, 0]), np.array([0, 1.0]), np.linspace(0, 1, 4))
    angles = np.radians([0, 30, 60, 90])
    np.testing.assert_allclose(way, np.stack([np.cos(angles), np.sin(angles)], 1), atol=1e-7)


def test_lengths_go_from_one_to_the_other():
    way = slerp(np.array([1.0, 0]), np.array([0, 3.0]), np.linspace(0, 1, 5))
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), [1, 1.5, 2, 2.5, 3])


def test_many_ways_at_once():
    start, end = np.random.default_rng(0).standard_normal((2, 3, 16))
    way = slerp(start, end, np.linspace(0, 1, 6))
    assert way.shape == (6, 3, 16)
    assert way.dtype == np.float32
    np.testing.assert_allclose(way[0], start, rtol=1e-6)
    np.testing.assert_allclose(way[-1], end, rtol=1e-6)
    np.testing.assert_allclose(way[:, 1], slerp(start[1], end[1], np.linspace(0, 1, 6)), rtol=1e-6)


@pytest.mark.parametrize("factor", [1.0, 2.0, 1 + 1e-12, -1.0])
def test_where_there_is_no_arc_the_way_is_straight(factor):
    start = np.array([1.0, 2.0, -2.0])
    way = slerp(start, factor * start, np.linspace(0, 1, 3))
    assert np.isfinite(way).all()
    np.testing.assert_allclose(way[-1], factor * start, rtol=1e-6)
