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
    pairs_where,
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
    """Walk over the pairs."""
    centre = real.features.mean(axis=0, dtype=np.float64)
    reals, fakes = Rows(real.features, centre), Rows(fake.features, centre)
    n, m = len(real), len(fake)
    found = Compared(
        real, fake, np.zeros(n), np.zeros(m), np.zeros(n, int), np.zeros(m, int), np.zeros(n, bool)
    )
    for rows in blocks_of(real.features):
        left = reals.block(rows)
        for columns in blocks_of(fake.features):
            kernels, distances = kernels_and_distances(left, fakes.block(columns))
            found.kernel_sums_real[rows] += kernels.sum(axis=1, dtype=np.float64)
            found.kernel_sums_fake[columns] += kernels.sum(axis=0, dtype=np.float64)
            i, j, in_real, in_fake = _balls_of_pairs(
                distances, _Balls(real, reals, rows), _Balls(fake, fakes, columns)
            )
            found.covered[i[in_real]] = True
            found.fake_in_real_balls[:] += np.bincount(j[in_real], minlength=m)
            found.real_in_fake_balls[:] += np.bincount(i[in_fake], minlength=n)
    return found


class _Balls:
    """A block of the pictures of a set, each with its ball."""

    def __init__(self, pictures: FeatureSet, seen: Rows, block: slice) -> None:
        self.features, self.start = pictures.features, block.start
        self.squared_radii = pictures.within.squared_radii[block]
        self.uncertainty = seen.uncertainty[block]


def _balls_of_pairs(distances: np.ndarray, real: _Balls, fake: _Balls) -> tuple[np.ndarray, ...]:
    """Numbers of the pictures of a few pairs, and whether they lie in the real or the fake ball.

    No other pair lies in a ball. It is decided as by float64: where the features' own dtype leaves
    it open, the distance is worked out again.
    """
    most_unsure = real.uncertainty.max() + fake.uncertainty.max()
    reach_real, reach_fake = (
        (balls.squared_radii + most_unsure).astype(distances.dtype) for balls in (real, fake)
    )
    i, j = pairs_where((distances <= reach_real[:, np.newaxis]) | (distances <= reach_fake))
    near = distances[i, j].astype(np.float64)
    radii_real, radii_fake = real.squared_radii[i], fake.squared_radii[j]
    unsure = real.uncertainty[i] + fake.uncertainty[j]
    i, j = i + real.start, j + fake.start
    is_open = (np.abs(near - radii_real) <= unsure) | (np.abs(near - radii_fake) <= unsure)
    near[is_open] = exact_squared_distances(real.features, i[is_open], fake.features, j[is_open])
    return i, j, near < radii_real, near < radii_fake
