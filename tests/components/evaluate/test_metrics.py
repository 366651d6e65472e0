"""Values known in closed form, or from the papers: see each metric's source."""

import numpy as np
import pytest

from components.evaluate.metrics import kid as kid_module
from components.evaluate.metrics import prdc as prdc_module
from components.evaluate.metrics.frechet import frechet_distance
from components.evaluate.metrics.kid import kid
from components.evaluate.metrics.prdc import prdc


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def _points_with(covariance: np.ndarray) -> np.ndarray:
    """Points around 0 with exactly this unbiased covariance: 2d of them, in d dimensions."""
    d = len(covariance)
    arms = np.linalg.cholesky(covariance).T * np.sqrt((2 * d - 1) / 2)
    return np.concatenate([arms, -arms])


def test_frechet_of_a_shift_by_one_in_each_of_2048_dimensions_is_2048(random):
    features = random.normal(size=(20, 2048))
    assert frechet_distance(features, features + 1) == pytest.approx(2048)


def test_frechet_of_a_doubled_spread_is_the_number_of_dimensions():
    points = _points_with(np.eye(64))
    assert frechet_distance(points, 2 * points) == pytest.approx(64)  # I and 4 I


def test_frechet_of_covariances_that_do_not_commute():
    left = _points_with(np.array([[2.0, 1.0], [1.0, 2.0]]))
    right = _points_with(np.diag([1.0, 4.0]))
    assert frechet_distance(left, right) == pytest.approx(0.7712204, abs=1e-7)
    assert frechet_distance(right, left) == pytest.approx(0.7712204, abs=1e-7)


@pytest.mark.parametrize(("real_count", "fake_count"), [(20, 20), (20, 200), (200, 20), (200, 200)])
def test_frechet_is_the_same_by_covariances_with_more_or_fewer_pictures_than_dimensions(
    random, real_count, fake_count
):
    d = 64
    real = random.normal(size=(real_count, d)) @ random.normal(size=(d, d))
    fake = 1 + random.normal(size=(fake_count, d)) @ random.normal(size=(d, d))
    covariances = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    values, vectors = np.linalg.eigh(covariances[0])
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    trace_of_root = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    expected = np.square(real.mean(0) - fake.mean(0)).sum() - 2 * trace_of_root
    expected += np.trace(covariances[0]) + np.trace(covariances[1])
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-3)


def test_kid_of_a_shift_by_one_has_its_closed_form(random):
    d = 64
    scores = [kid(random.normal(size=(1000, d)), random.normal(1, 1, (1000, d))) for _ in range(8)]
    assert np.mean(scores) == pytest.approx(7 + 9 / d + 6 / d**2, rel=0.02)


def test_kid_of_one_distribution_is_around_zero_on_both_sides(random):
    scores = [kid(random.normal(size=(50, 16)), random.normal(size=(50, 16))) for _ in range(200)]
    assert abs(np.mean(scores)) < 3 * np.std(scores) / np.sqrt(len(scores))
    assert min(scores) < 0 < max(scores)


def test_kid_leaves_out_pairs_of_a_picture_with_itself(random, monkeypatch):
    monkeypatch.setattr(kid_module, "_CHUNK", 3)  # 7 and 5 rows do not divide evenly
    real, fake = random.normal(size=(7, 4)), random.normal(size=(5, 4))

    def kernel(x, y):
        return (x @ y / 4 + 1) ** 3

    within = [
        np.mean([kernel(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j])
        for rows in (real, fake)
    ]
    across = np.mean([kernel(x, y) for x in real for y in fake])
    assert kid(real, fake) == pytest.approx(sum(within) - 2 * across, rel=1e-12)


def test_kid_is_computed_in_float64(random):
    real, fake = random.normal(100, 1, (64, 8)), random.normal(100, 1, (64, 8))
    real, fake = real.astype(np.float32), fake.astype(np.float32)
    assert kid(real, fake) == kid(real.astype(np.float64), fake.astype(np.float64))


def test_density_is_one_and_coverage_31_in_32_for_one_distribution(random):
    scores = [
        prdc(random.normal(size=(1000, 2)), random.normal(size=(1000, 2)), 5) for _ in range(5)
    ]
    assert np.mean([one["density"] for one in scores]) == pytest.approx(1, abs=0.03)
    assert np.mean([one["coverage"] for one in scores]) == pytest.approx(0.969, abs=0.01)


def test_precision_high_recall_low_a_tight_cluster_inside_a_wide_real_set(random):
    runs = [
        prdc(random.normal(size=(1000, 16)), random.normal(0, 0.09, (1000, 16)), 5)
        for _ in range(5)
    ]
    scores = {name: np.mean([run[name] for run in runs]) for name in runs[0]}
    assert scores["precision"] == 1
    assert scores["recall"] == 0
    # Twelve times what real pictures have, which looks excellent and is not. How much exactly
    # depends on where the cluster lies: 11 to 13 over these runs.
    assert scores["density"] == pytest.approx(12, abs=1)
    assert scores["coverage"] == pytest.approx(0.22, abs=0.04)


def test_precision_low_recall_high_a_wide_fake_set_around_a_tight_cluster(random):
    scores = prdc(random.normal(0, 0.09, (1000, 16)), random.normal(size=(1000, 16)), 5)
    assert scores == {"precision": 0, "recall": 1, "density": 0, "coverage": 0}


def test_prdc_of_points_on_a_line_counted_by_hand(monkeypatch):
    monkeypatch.setattr(prdc_module, "_CHUNK", 2)
    real = np.array([[0.0], [1.0], [3.0]])  # radii to the nearest other: 1, 1, 2
    fake = np.array([[0.5], [2.5], [9.0], [9.5]])  # radii 2, 2, 0.5, 0.5
    assert prdc(real, fake, neighbours=1) == {
        "precision": 2 / 4,  # 0.5 and 2.5
        "recall": 3 / 3,
        "density": 3 / 4,  # 0.5 lies in two balls, 2.5 in one
        "coverage": 3 / 3,
    }


def test_precision_and_recall_of_fakes_all_alike_do_not_depend_on_rounding(random):
    fake = np.tile(random.normal(size=(1, 16)), (50, 1))
    scores = prdc(random.normal(size=(100, 16)), fake, 5)
    assert scores["recall"] == 0
