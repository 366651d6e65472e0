"""Two sets of features held against each other, in one walk over all pairs of both.

Precision, recall, density and coverage ask which pictures lie in which balls; the ball of a
picture reaches to its k-th nearest neighbour of its own set.
"""

from typing import NamedTuple

import numpy as np

from components.metrics.blocks import (
    Rows,
    blocks_of,
    exact_squared_distances,
    kernels_and_distances,
    uncertainty,
)
from components.metrics.feature_set import FeatureSet


class Compared(NamedTuple):
    """What the pairs of a real and a fake picture come to, N real ones and M fakes."""

    real: FeatureSet
    fake: FeatureSet
    kernel_sums_real: np.ndarray  # of the kernel with every fake, float64 [N]
    kernel_sums_fake: np.ndarray  # of the kernel with every real picture, float64 [M]
    real_in_fake_balls: np.ndarray  # in how many fakes' balls each real one lies, int [N]
    fake_in_real_balls: np.ndarray  # in how many real balls each fake lies, int [M]
    covered: np.ndarray  # whether a fake lies in the real one's ball, bool [N]


def hold_against(real: FeatureSet, fake: FeatureSet) -> Compared:
    """Walk over the pairs.

    Whether a picture lies in a ball is decided as by float64: where the features' own dtype leaves
    it open, the distance is worked out again.
    """
    centre = real.features.mean(axis=0, dtype=np.float64)
    reals, fakes = Rows(real.features, centre), Rows(fake.features, centre)
    n, m = len(real), len(fake)
    found = Compared(
        real, fake, np.zeros(n), np.zeros(m), np.zeros(n, int), np.zeros(m, int), np.zeros(n, bool)
    )
    for rows in blocks_of(real.features):
        for columns in blocks_of(fake.features):
            kernels, distances = kernels_and_distances(reals, rows, fakes, columns)
            found.kernel_sums_real[rows] += kernels.sum(axis=1, dtype=np.float64)
            found.kernel_sums_fake[columns] += kernels.sum(axis=0, dtype=np.float64)
            radii = real.within.squared_radii[rows, np.newaxis], fake.within.squared_radii[columns]
            to_real, to_fake = (distances - one.astype(distances.dtype) for one in radii)
            in_real, in_fake = to_real < 0, to_fake < 0
            unsure = uncertainty(reals, rows, fakes, columns)
            i, j = np.nonzero((np.abs(to_real) <= unsure) | (np.abs(to_fake) <= unsure))
            exact = exact_squared_distances(
                real.features, i + rows.start, fake.features, j + columns.start
            )
            in_real[i, j] = exact < radii[0][i, 0]
            in_fake[i, j] = exact < radii[1][j]
            found.covered[rows] |= in_real.any(axis=1)
            found.fake_in_real_balls[columns] += in_real.sum(axis=0)
            found.real_in_fake_balls[rows] += in_fake.sum(axis=1)
    return found
