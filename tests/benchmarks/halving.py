"""Whether few samples find the snapshot that all samples find, and how much sooner.

For each run: its snapshots scored in full, one by one, against evaluate's way, which looks at all
by few samples, at the better ones by more, and scores the chosen one in full. Both choose by
pictures of the training; the features of the real pictures are there before either begins.

    python tests/benchmarks/halving.py RUN [RUN ...] [--samples N] [--json FILE]
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import NamedTuple

import keras

from components.evaluate.config import EvaluateConfig
from components.evaluate.extractors.registry import load_extractor
from components.evaluate.halving import choose_snapshot, newest_of_the_best
from components.evaluate.scoring import draw_samples, load_real, score
from components.metrics.compared import Compared, hold_against
from components.metrics.extractor import Extractor
from components.metrics.feature_set import FeatureSet
from components.metrics.kid import kid
from components.shared.contracts import SNAPSHOTS, epoch_of
from components.shared.files import read_json


class Found(NamedTuple):
    """What one run came to."""

    snapshots: int
    full: int  # epoch that is chosen by all samples of each
    chosen: int  # epoch that evaluate chooses
    lost: float  # KID of the one above that of the other, both by all samples
    ratio: float  # seconds of the one way over those of the other


def compare(run: Path, extractor: Extractor, samples: int) -> Found:
    """Choose both ways among the snapshots of a run."""
    artifacts = read_json(run / "run.json")["artifacts"]
    config = EvaluateConfig(samples=samples)
    held_out, train_split = (
        FeatureSet(extractor(pictures), config.neighbours)
        for pictures in load_real(Path(artifacts["records"]), config)
    )
    snapshots = Path(artifacts["training"], SNAPSHOTS)
    paths = sorted(snapshots.glob("epoch-*.keras"), key=epoch_of)

    started = time.perf_counter()
    in_all = {path: _score(path, train_split, extractor, config) for path in paths}
    best = newest_of_the_best([*in_all.items()])
    in_full = time.perf_counter() - started

    started = time.perf_counter()
    chosen = choose_snapshot(paths, train_split, extractor, config).best
    _score(chosen, held_out, extractor, config)
    by_rungs = time.perf_counter() - started
    lost = kid(in_all[chosen]).value - kid(in_all[best]).value
    return Found(len(paths), epoch_of(best), epoch_of(chosen), lost, in_full / by_rungs)


def _score(path: Path, real: FeatureSet, extractor: Extractor, config: EvaluateConfig) -> Compared:
    drawn = draw_samples(keras.models.load_model(path, compile=False), extractor, config)
    assert drawn.features is not None
    compared = hold_against(real, drawn.features)
    score(compared)
    return compared


def main() -> None:
    """Compare, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("--samples", type=int, default=1_000, help="as evaluate.samples")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    extractor = load_extractor(EvaluateConfig())
    found = []
    for run in arguments.runs:
        found.append(one := compare(run, extractor, arguments.samples))
        print(
            f"{one.snapshots} snapshots: epoch {one.chosen} chosen, {one.full} by all samples, "
            f"KID {one.lost:.4f} above it, {one.ratio:.2f} times as fast",
            flush=True,
        )
    ratios = [one.ratio for one in found]
    print(
        f"the same in {sum(one.chosen == one.full for one in found)} of {len(found)}, "
        f"{statistics.median(ratios):.2f} times as fast ({min(ratios):.2f}–{max(ratios):.2f})"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps([one._asdict() for one in found], indent=2) + "\n")


if __name__ == "__main__":
    main()
