"""The same features give the same figures as in two libraries that are widely used.

What they gave is kept here: torch-fidelity 0.4.0 (with PyTorch 2.15) and clean-fid 0.1.35,
which agree with each other. Where they are installed, they are asked again.
"""

import numpy as np
import pytest

from components.metrics.kid import kid
from components.metrics.precision_recall import precision, recall
from tests.components.metrics.held import frechet, held

NEIGHBOURS = 3
FRECHET_DISTANCE = 1.1853585132968547
KID = 0.15641587238706212
PRECISION, RECALL = 0.335, 0.945


@pytest.fixture
def features() -> tuple[np.ndarray, np.ndarray]:
    """Real and fake, float64 [200, 32], without a random generator that may change."""
    real, noise = np.modf(1000 * np.sqrt(np.arange(2.0, 12802).reshape(2, 200, 32)))[0]
    return real, 1.3 * noise * noise + 0.2


def test_figures_are_those_that_the_libraries_gave(features):
    compared = held(*features, NEIGHBOURS)
    assert frechet(*features) == pytest.approx(FRECHET_DISTANCE, abs=1e-4)
    assert kid(compared).value == pytest.approx(KID, abs=1e-4)
    assert precision(compared) == pytest.approx(PRECISION, abs=1e-4)
    assert recall(compared) == pytest.approx(RECALL, abs=1e-4)


def test_torch_fidelity_still_gives_them(features):
    torch = pytest.importorskip("torch")
    metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    real, fake = map(torch.from_numpy, features)
    statistics = map(metric_fid.fid_features_to_statistics, (real, fake))
    found = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
    assert found["frechet_inception_distance"] == pytest.approx(FRECHET_DISTANCE, abs=1e-4)
    found = kid_features_to_metric(
        real, fake, kid_subsets=1, kid_subset_size=len(real), kid_kernel="poly",
        kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1,
        rng_seed=0, verbose=False,
    )  # fmt: skip
    assert found["kernel_inception_distance_mean"] == pytest.approx(KID, abs=1e-4)
    # It calls the generated ones its first.
    found = prc_features_to_metric(
        fake, real, prc_neighborhood=NEIGHBOURS, prc_batch_size=1000, verbose=False
    )
    assert found["precision"] == pytest.approx(PRECISION, abs=1e-4)
    assert found["recall"] == pytest.approx(RECALL, abs=1e-4)


def test_clean_fid_still_gives_them(features):
    fid = pytest.importorskip("cleanfid.fid")
    real, fake = features
    means, covariances = ([f(x) for x in features] for f in (
        lambda x: x.mean(axis=0), lambda x: np.cov(x, rowvar=False)))  # fmt: skip
    found = fid.frechet_distance(means[0], covariances[0], means[1], covariances[1])
    assert found == pytest.approx(FRECHET_DISTANCE, abs=1e-4)
    found = fid.kernel_distance(real, fake, num_subsets=1, max_subset_size=len(real))
    assert found == pytest.approx(KID, abs=1e-4)
