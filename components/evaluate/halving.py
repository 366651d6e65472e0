"""Which snapshot is the best: a few samples of each, more of those that promise more.

Successive halving (Jamieson and Talwalkar 2016, §3, https://arxiv.org/abs/1502.07943): each rung
keeps a fifth of the snapshots and gives those five times the samples, 250 at least. Of those that
chance may have put behind the lowest KID, the newest is taken: pictures still gain details, eyes
above all, long after KID has ceased to tell.

The best of many is flattered by whatever it was chosen by. So snapshots are chosen by pictures of
the training, as the field does (Karras et al. 2020, §2, https://arxiv.org/abs/2006.06676), and the
chosen one is scored by held-out pictures and other latents, which had no part in that.
"""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from components.evaluate.config import EvaluateConfig
from components.metrics.compared import Compared, hold_against
from components.metrics.drawing import ask_at_random, describe
from components.metrics.extractor import Extractor
from components.metrics.feature_set import FeatureSet
from components.metrics.kid import kid, kid_difference
from components.shared.classes import Classes
from components.shared.contracts import epoch_of

LOG = logging.getLogger("dcgan.evaluate")
_KEEPS = 5  # one in so many goes on to the next rung, which has so many times the samples
_FEWEST_SAMPLES = 250  # from fewer, chance moves KID by more than late snapshots differ
_STREAM = 1  # of the seed; those that judge come from the seed itself


class Rung(NamedTuple):
    """How many snapshots are looked at, and by how many samples of each."""

    snapshots: int
    samples: int


class Choice(NamedTuple):
    """The best of all snapshots, and what the rungs said of each."""

    best: Path
    rungs: list[Rung]
    looked_at: list[dict[str, Any]]  # by epoch: its last `samples`, `kid` and `kid_interval`


def plan_rungs(snapshots: int, samples: int) -> list[Rung]:
    """The rungs; the last one has a fifth of all samples, if that is not too few."""
    counts = []
    while snapshots > 1:
        counts.append(snapshots)
        snapshots = -(-snapshots // _KEEPS)
    rungs: list[Rung] = []
    for later, count in zip(range(len(counts), 0, -1), counts, strict=True):
        rung = Rung(count, min(samples, max(_FEWEST_SAMPLES, samples // _KEEPS**later)))
        if not rungs or rung.samples > rungs[-1].samples:  # otherwise it would tell no more
            rungs.append(rung)
    return rungs


def choose_snapshot(
    paths: Sequence[Path],
    training: FeatureSet,
    extractor: Extractor,
    config: EvaluateConfig,
    classes: Classes | None = None,
) -> Choice:
    """Find the newest of the snapshots whose KID is the lowest, as far as their samples tell.

    Args:
        paths: Snapshots, in the order of their epochs.
        training: Of pictures of the training.
        extractor: What describes pictures.
        config: Settings of this step.
        classes: Those that the generators draw; None where they take no labels.
    """
    contenders = [_Contender(path) for path in paths]
    rungs = plan_rungs(len(paths), config.samples)
    best = [*contenders]
    for rung in rungs:
        best = best[: rung.snapshots]
        LOG.info("looking at %s snapshots, by %s samples each", *map("{:,}".format, rung))
        for contender in best:
            contender.look(rung.samples, training, extractor, config, classes)
            LOG.info("%s", contender)
        best.sort(key=lambda contender: contender.kid)
    chosen = newest_of_the_best([(contender.path, contender.compared) for contender in best])
    return Choice(chosen, rungs, [one.found() for one in contenders] if rungs else [])


def newest_of_the_best(looked_at: Sequence[tuple[Path, Compared | None]]) -> Path:
    """The newest snapshot whose KID is not above the lowest by more than chance gives.

    Args:
        looked_at: Snapshots, by the same real pictures; None where pictures are not finite.
    """
    finite = [(path, compared) for path, compared in looked_at if compared is not None]
    if not finite:
        return looked_at[0][0]
    _, lowest = min(finite, key=lambda pair: kid(pair[1]).value)
    differences = [(path, kid_difference(compared, lowest)) for path, compared in finite]
    as_good = [path for path, above in differences if above.value <= above.interval]
    return max(as_good, key=epoch_of)


class _Contender:
    """A snapshot and its samples so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.compared: Compared | None = None  # with training pictures; None: not finite
        self._scores: dict[str, Any] = {"samples": 0, "kid": None, "kid_interval": None}
        self._features: list[np.ndarray] = []

    def look(
        self,
        samples: int,
        training: FeatureSet,
        extractor: Extractor,
        config: EvaluateConfig,
        classes: Classes | None,
    ) -> None:
        """Bring its samples to this number, and score them."""
        generator = keras.models.load_model(self.path, compile=False)
        asked = ask_at_random([config.seed, _STREAM], samples, generator, classes)
        new = describe(generator, asked.part(slice(self._scores["samples"], None)), extractor)
        self.compared, self._scores = None, dict.fromkeys(self._scores) | {"samples": samples}
        if new is not None:
            self._features.append(new)
            drawn = FeatureSet(np.concatenate(self._features), config.neighbours)
            self.compared = hold_against(training, drawn)
            value, interval = kid(self.compared)
            self._scores.update(kid=value, kid_interval=interval)

    @property
    def kid(self) -> float:
        """That of the last look; above all others where pictures are not finite."""
        return math.inf if self._scores["kid"] is None else self._scores["kid"]

    def found(self) -> dict[str, Any]:
        """What the last look at it came to."""
        return {"epoch": epoch_of(self.path), **self._scores}

    def __str__(self) -> str:
        """The same in words."""
        epoch, interval = epoch_of(self.path), self._scores["kid_interval"]
        if interval is None:
            return f"epoch {epoch}: the pictures are not finite numbers"
        return f"epoch {epoch}: KID {self.kid:.3f} ± {interval:.3f}"
