"""Which classes there are, and how often each is drawn."""

import numpy as np
import pytest

from components.shared.classes import Classes

CLASSES = Classes(("a", "b", "none", "c"), (10, 50, 0, 40))


@pytest.mark.parametrize("manifest", [{}, {"classes": []}])
def test_pictures_without_labels_have_no_classes(manifest):
    assert Classes.of(manifest) is None


def test_classes_are_those_of_the_manifest():
    rows = zip(CLASSES.names, CLASSES.counts, strict=True)
    classes = [{"name": name, "train": count, "eval": 3, "rejected": 1} for name, count in rows]
    assert Classes.of({"classes": classes}) == CLASSES
    np.testing.assert_allclose(CLASSES.shares, [0.1, 0.5, 0, 0.4])


def test_the_largest_come_first_and_those_without_pictures_not_at_all():
    assert CLASSES.largest(2) == [1, 3]
    assert CLASSES.largest(40) == [1, 3, 0]
    assert Classes(("a", "b", "c"), (5, 9, 5)).largest(3) == [1, 0, 2]


def test_labels_are_drawn_by_the_shares_of_the_training():
    labels = CLASSES.draw_labels(7, 20_000)
    assert labels.dtype == np.int32
    np.testing.assert_allclose(np.bincount(labels) / 20_000, CLASSES.shares, atol=0.01)
    assert (labels != 2).all()
    np.testing.assert_array_equal(CLASSES.draw_labels(7, 50), labels[:50])
    assert (CLASSES.draw_labels([7], 50) == labels[:50]).all()
    assert (CLASSES.draw_labels(8, 50) != labels[:50]).any()
    assert (CLASSES.draw_labels([7, 1], 50) != labels[:50]).any()


def test_labels_of_many_classes_are_drawn_of_all():
    many = Classes(tuple(map(str, range(5000))), (3,) * 5000)
    labels = many.draw_labels(0, 100_000)
    assert (labels.min(), labels.max()) == (0, 4999)
    assert len(np.unique(labels)) == 5000
