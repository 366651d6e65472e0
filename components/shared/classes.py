"""The classes of a labelled set of pictures: their names, and how often each is drawn."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from components.shared.contracts import TRAIN_SPLIT

BY_SHARES = -1  # as the number of a class: one that is drawn by the shares
_STREAM = 0x1ABE1  # of a seed; latents come from the seed itself


class Classes(NamedTuple):
    """By number, from 0."""

    names: tuple[str, ...]
    counts: tuple[int, ...]  # pictures of the training

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Self | None:
        """Those of `manifest.json`, or of the `data` of `training.json`; None without labels."""
        found = manifest.get("classes")
        if not found:
            return None
        return cls(tuple(one["name"] for one in found), tuple(one[TRAIN_SPLIT] for one in found))

    @property
    def shares(self) -> np.ndarray:
        """Share of each in the training pictures: float64 [K], 1 in all."""
        return np.array(self.counts) / sum(self.counts)

    def largest(self, count: int) -> list[int]:
        """Numbers of so many classes at most, those with the most pictures first; none without."""
        learned = (number for number, pictures in enumerate(self.counts) if pictures)
        return sorted(learned, key=lambda number: -self.counts[number])[:count]

    def draw_labels(self, seed: int | Sequence[int], count: int) -> np.ndarray:
        """Draw classes by their shares: int32 [count]; the first of more are the same."""
        seeds = [seed] if isinstance(seed, int) else [*seed]
        random = np.random.default_rng([*seeds, _STREAM])
        edges = np.cumsum(self.shares)[:-1]
        return np.searchsorted(edges, random.random(count), side="right").astype(np.int32)


def numbers_of(names: Sequence[str]) -> dict[str, int]:
    """The number of a class by what it may be called: its name, else its number in digits.

    The empty text stands for `BY_SHARES`.
    """
    by_digits = {str(number): number for number in range(len(names))}
    by_name = {name: number for number, name in enumerate(names)}
    return by_digits | by_name | {"": BY_SHARES}
