"""Scores see what a person sees: pictures that are made worse score worse."""

import pytest

from components.metrics.kid import kid
from tests.components.evaluate.degradations import STRENGTHS
from tests.components.evaluate.extracting import extract_features
from tests.components.metrics.held import frechet, held


@pytest.fixture(scope="module")
def real(faces):
    return extract_features(faces[:64])


@pytest.fixture(scope="module")
def untouched(faces):
    return extract_features(faces[64:])


@pytest.mark.parametrize(
    ("degrade", "little", "much"), STRENGTHS, ids=[one[0].__name__ for one in STRENGTHS]
)
def test_the_more_a_picture_is_degraded_the_worse_it_scores(
    faces, real, untouched, degrade, little, much
):
    others = faces[64:]
    sets = [untouched, *(extract_features(degrade(others, by)) for by in (little, much))]
    better, worse, worst = (kid(held(real, one)) for one in sets)
    assert better.value + better.interval < worse.value - worse.interval
    assert worse.value + worse.interval < worst.value - worst.interval
    distances = [frechet(real, one) for one in sets]
    assert distances == sorted(distances)


def test_kid_cannot_tell_real_pictures_from_others(real, untouched):
    floor = kid(held(real, untouched))
    assert abs(floor.value) < floor.interval
