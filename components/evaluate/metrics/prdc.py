"""Precision, recall, density and coverage.

Precision and recall: Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991.
Density and coverage: Naeem et al. 2020, https://arxiv.org/abs/2002.09797.

Each picture has a ball that reaches to its k-th nearest neighbour of its own set; the
balls of a set stand for where its distribution has mass.
"""

import numpy as np

_CHUNK = 1000  # rows of the distance matrix in memory at once


def prdc(real: np.ndarray, fake: np.ndarray, neighbours: int) -> dict[str, float]:
    """Compare two sets of features, each of more than `neighbours` rows.

    Returns:
        precision: Share of fakes within some real picture's ball.
        recall: Share of real pictures within some fake's ball.
        density: Real balls a fake lies in, on average, over `neighbours`.
        coverage: Share of real pictures with a fake in their ball.
    """
    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    real_radii = _squared_radii(real, neighbours)
    fake_radii = _squared_radii(fake, neighbours)
    balls_around_fake = np.zeros(len(fake))
    recalled = covered = 0
    for start in range(0, len(real), _CHUNK):
        rows = slice(start, start + _CHUNK)
        distances = _squared_distances(real[rows], fake)
        within = distances < real_radii[rows, np.newaxis]
        balls_around_fake += within.sum(axis=0)
        covered += int(within.any(axis=1).sum())
        recalled += int((distances < fake_radii).any(axis=1).sum())
    return {
        "precision": float((balls_around_fake > 0).mean()),
        "recall": recalled / len(real),
        "density": float(balls_around_fake.mean() / neighbours),
        "coverage": covered / len(real),
    }


def _squared_radii(rows: np.ndarray, neighbours: int) -> np.ndarray:
    """Squared distance of each row to its k-th nearest other row."""
    radii = np.empty(len(rows))
    for start in range(0, len(rows), _CHUNK):
        distances = _squared_distances(rows[start : start + _CHUNK], rows)
        count = len(distances)
        distances[np.arange(count), np.arange(start, start + count)] = np.inf  # itself
        radii[start : start + count] = np.partition(distances, neighbours - 1)[:, neighbours - 1]
    return radii


def _squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    squares = np.square(left).sum(axis=1)[:, np.newaxis] + np.square(right).sum(axis=1)
    return (squares - 2 * left @ right.T).clip(min=0)
