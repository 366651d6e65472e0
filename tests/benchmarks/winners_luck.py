"""How often a model that is no better than the published one is blessed: a simulation.

All models draw from a standard normal distribution that is moved by the same length in a
direction of their own, so that their KIDs differ by chance alone. "before" chooses among a
training's snapshots by the held-out pictures and the samples that the gate then judges; "now" by
pictures of the training and other samples, on evaluate's rungs. The gate is the same: a KID below
the published model's by more than the 95 % interval of the difference.

    python tests/benchmarks/winners_luck.py [--trials N] [--json FILE]
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np

from components.evaluate.halving import newest_of_the_best, plan_rungs
from components.metrics.compared import Compared, hold_against
from components.metrics.feature_set import FeatureSet
from components.metrics.kid import kid, kid_difference
from components.shared.contracts import epoch_file

SIZE = 64  # of a picture's features
SNAPSHOTS, SAMPLES, HELD_OUT, TRAINING = 8, 400, 191, 191  # as the demo has them
MOVED = 1.1  # a KID of 0.06, as the demo's
NEIGHBOURS = 5


def trial(random: np.random.Generator) -> tuple[bool, bool]:
    """Whether the chosen of equal snapshots is blessed, before and now."""
    real = random.standard_normal([HELD_OUT, SIZE], np.float32)
    held_out = FeatureSet(real, NEIGHBOURS)
    training = FeatureSet(random.standard_normal([TRAINING, SIZE], np.float32), NEIGHBOURS)
    champion = _direction(random)
    snapshots = {Path(epoch_file(epoch, "")): _direction(random) for epoch in range(SNAPSHOTS)}
    defender = _draw(champion, SAMPLES, random, held_out)

    drawn = [_draw(snapshot, SAMPLES, random, held_out) for snapshot in snapshots.values()]
    luckiest = min(drawn, key=lambda compared: kid(compared).value)

    best = [*snapshots]
    for rung in plan_rungs(SNAPSHOTS, SAMPLES):
        best = best[: rung.snapshots]
        looks = {path: _draw(snapshots[path], rung.samples, random, training) for path in best}
        best.sort(key=lambda path: kid(looks[path]).value)
    chosen = _draw(snapshots[newest_of_the_best([*looks.items()])], SAMPLES, random, held_out)
    return _blessed(luckiest, defender), _blessed(chosen, defender)


def _direction(random: np.random.Generator) -> np.ndarray:
    direction = random.standard_normal(SIZE)
    return (MOVED * direction / np.linalg.norm(direction)).astype(np.float32)


def _draw(
    moved: np.ndarray, samples: int, random: np.random.Generator, real: FeatureSet
) -> Compared:
    features = random.standard_normal([samples, SIZE], np.float32) + moved
    return hold_against(real, FeatureSet(features, NEIGHBOURS))


def _blessed(challenger: Compared, defender: Compared) -> bool:
    difference = kid_difference(challenger, defender)
    return difference.value < -difference.interval


def main() -> None:
    """Simulate, print, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    found = np.mean([trial(random) for _ in range(arguments.trials)], axis=0)
    shares = dict(zip(("before", "now"), map(float, found), strict=True))
    for name, share in shares.items():
        error = 1.96 * math.sqrt(share * (1 - share) / arguments.trials)
        print(f"{name}: {share:.1%} ± {error:.1%} of {arguments.trials:,} equal models blessed")
    if arguments.json:
        arguments.json.write_text(json.dumps(shares, indent=2) + "\n")


if __name__ == "__main__":
    main()
