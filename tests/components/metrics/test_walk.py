"""One walk in the features' own dtype comes to what float64 and whole matrices come to."""

import numpy as np
import pytest

from components.metrics import blocks, feature_set
from components.metrics.density_coverage import coverage, density
from components.metrics.kid import kid
from components.metrics.precision_recall import precision, recall
from tests.components.metrics.held import held

NEIGHBOURS = 3


def network_like(random, count, d=48):
    """Not negative, with a large common part and fading directions, as pooled features are."""
    values = random.normal(size=(count, d)) * np.arange(1, d + 1) ** -0.7
    return np.maximum(values @ random.normal(size=(d, d)) * 0.3 + 0.5, 0)


def plain(random, count):
    return random.normal(size=(count, 16))


def tied(random, count):
    """Whole numbers: most distances occur many times, and many pictures twice."""
    return random.integers(0, 3, (count, 4)).astype(float)


def tiny(random, count):
    return 1e-6 * random.normal(size=(count, 16))


def large(random, count):
    return 1e4 * random.normal(size=(count, 16))


def far_out(random, count):
    """A thousand times farther from 0 than from each other."""
    return 1000 + random.normal(size=(count, 16))


def clustered(random, count):
    """Distances within each cluster are less than what float32 loses of them."""
    centres = 100 * np.random.default_rng(0).normal(size=(count // 5, 16))
    return np.repeat(centres, 5, axis=0) + 0.01 * random.normal(size=(count // 5 * 5, 16))


def two_modes(random, count):
    """As of a generator that has collapsed: more neighbours than are spare are as near."""
    modes = np.random.default_rng(0).normal(size=(2, 256))
    return np.repeat(modes, count // 2, axis=0) + 1e-3 * random.normal(size=(count, 256))


def with_an_outlier(random, count):
    values = plain(random, count)
    values[7] *= 1e6
    return values


KINDS = [clustered, two_modes, with_an_outlier, network_like, plain, tied, tiny, large, far_out]


def kernel(left, right):
    return (left @ right.T / left.shape[1] + 1) ** 3


def squared_distances(left, right):
    return np.square(left[:, np.newaxis] - right).sum(axis=2)


def radii(rows):
    distances = squared_distances(rows, rows)
    np.fill_diagonal(distances, np.inf)
    return np.sort(distances, axis=1)[:, NEIGHBOURS - 1]


def kid_in_full(real, fake):
    n, m = len(real), len(fake)
    within = sum(
        (kernel(rows, rows).sum() - np.trace(kernel(rows, rows))) / (len(rows) * (len(rows) - 1))
        for rows in (real, fake)
    )
    return within - 2 * kernel(real, fake).sum() / (n * m)


@pytest.mark.parametrize("draw", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_and_balls_are_those_of_float64(draw, dtype, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 64)  # which does not divide what follows
    if dtype == np.float64:  # puts no neighbour behind another
        monkeypatch.setattr(feature_set, "_SPARE", 0)
    random = np.random.default_rng(0)
    real, fake = draw(random, 150).astype(dtype), draw(random, 130).astype(dtype)
    compared = held(real, fake, NEIGHBOURS)
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    scale = max(1, np.abs(kernel(real, real)).mean())
    assert kid(compared).value == pytest.approx(kid_in_full(real, fake), abs=1e-6 * scale)

    distances = squared_distances(real, fake)
    in_real = distances < radii(real)[:, np.newaxis]
    in_fake = distances < radii(fake)
    np.testing.assert_array_equal(compared.fake_in_real_balls, in_real.sum(axis=0))
    np.testing.assert_array_equal(compared.real_in_fake_balls, in_fake.sum(axis=1))
    np.testing.assert_array_equal(compared.covered, in_real.any(axis=1))
    assert precision(compared) == in_real.any(axis=0).mean()
    assert recall(compared) == in_fake.any(axis=1).mean()
    assert density(compared) == pytest.approx(in_real.sum() / NEIGHBOURS / len(fake))
    assert coverage(compared) == in_real.any(axis=1).mean()


def in_one_direction(random, count):
    """Whose errors add up."""
    return random.normal(size=(count, 1))


@pytest.mark.parametrize("d", [1, 8, 128, 384, 2048])
@pytest.mark.parametrize("draw", [network_like, plain, far_out, in_one_direction])
def test_no_distance_is_farther_off_than_is_taken_for_uncertain(draw, d):
    random = np.random.default_rng(d)
    drawn = draw(random, 200)
    real = np.tile(drawn, (1, -(-d // drawn.shape[1])))[:, :d].astype(np.float32)
    rows = blocks.Rows(real, real.mean(axis=0, dtype=np.float64))
    block = rows.block(slice(0, len(real)))
    _, distances = blocks.kernels_and_distances(block, block)
    i, j = np.indices(distances.shape).reshape(2, -1)
    exact = blocks.exact_squared_distances(real, i, real, j).reshape(distances.shape)
    uncertain = rows.uncertainty[:, np.newaxis] + rows.uncertainty
    assert np.all(np.abs(distances - exact) <= uncertain), np.max(
        np.abs(distances - exact) / uncertain
    )
