"""KID of two sets of pictures beside what chance gives."""

from typing import NamedTuple

import numpy as np

_SHUFFLES = 999
_CONFIDENCE = 0.99


class DriftKid(NamedTuple):
    """How far two sets are apart, and how far they would be if it were by chance alone."""

    kid: float
    chance: float  # 99 of 100 shuffles give at most this


def drift_kid(features: np.ndarray, old: np.ndarray, new: np.ndarray) -> DriftKid:
    """Compare two sets that may share pictures.

    KID takes its samples for independent, and a shared picture would pull them together;
    so no picture is held against itself. Chance is what the same estimate gives when
    pictures change places at random (a permutation test, which needs no assumption on
    the features, and stays right where the sets are small or share most pictures).

    Args:
        features: Each picture once, float [N, d].
        old: Whether it is in the one set, bool [N]; in at least two places.
        new: Whether it is in the other, bool [N]; in at least two places.
    """
    rows = np.asarray(features, np.float64)
    kernels = (rows @ rows.T / rows.shape[1] + 1) ** 3  # that of KID
    np.fill_diagonal(kernels, 0)
    random = np.random.default_rng(0)
    places = [np.arange(len(rows)), *(random.permutation(len(rows)) for _ in range(_SHUFFLES))]
    olds, news = (members.astype(np.float64)[np.array(places).T] for members in (old, new))
    from_old, from_new = kernels @ olds, kernels @ news
    count_old, count_new, shared = int(old.sum()), int(new.sum()), int((old & new).sum())
    kids = (
        (olds * from_old).sum(axis=0) / (count_old * (count_old - 1))
        + (news * from_new).sum(axis=0) / (count_new * (count_new - 1))
        - 2 * (olds * from_new).sum(axis=0) / (count_old * count_new - shared)
    )
    return DriftKid(float(kids[0]), float(np.quantile(kids[1:], _CONFIDENCE)))
