"""Time and memory of all scores of two sets of features, against an earlier build.

Each measurement is a process of its own; the builds take turns. Features are drawn at random,
with what those of networks have: none below 0, a large common part, fading directions. A Python
that has torch-fidelity 0.4.0 takes turns, too, at the four scores that it has.

    python tests/benchmarks/scores.py [--pictures N] [--before COMMIT] [--peer PYTHON] [--json FILE]
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
BEFORE = "200b801"  # each score by itself, in float64
TURNS = 3
DIMENSIONS = 1280  # as EfficientNet-Lite0 has

START = """
import json, resource, sys, time
import numpy as np
real, fake = (np.load(path) for path in sys.argv[1:])
started = time.perf_counter()
"""
SCORES_BEFORE = """
from components.evaluate.metrics.density_coverage import coverage, density
from components.evaluate.metrics.frechet import frechet_distance
from components.evaluate.metrics.frechet_infinity import frechet_infinity
from components.evaluate.metrics.kid import kid
from components.evaluate.metrics.precision_recall import precision, recall
scores = {"kid": kid(real, fake).value, "frechet_distance": frechet_distance(real, fake)}
scores["frechet_infinity"] = frechet_infinity(real, fake)
for score in (precision, recall, density, coverage):
    scores[score.__name__] = score(real, fake, 5)
"""
SCORES = """
from components.metrics.compared import hold_against
from components.metrics.density_coverage import coverage, density
from components.metrics.feature_set import FeatureSet
from components.metrics.frechet import frechet_distance
from components.metrics.frechet_infinity import frechet_infinity
from components.metrics.gaussians import fit_gaussians
from components.metrics.kid import kid
from components.metrics.precision_recall import precision, recall
compared = hold_against(FeatureSet(real, 5), FeatureSet(fake, 5))
gaussians = fit_gaussians(real), fit_gaussians(fake)
frechet = frechet_distance(*(one.whole for one in gaussians))
scores = {"kid": kid(compared).value, "frechet_distance": frechet}
scores["frechet_infinity"] = frechet_infinity(*gaussians, frechet)
for score in (precision, recall, density, coverage):
    scores[score.__name__] = score(compared)
"""
SCORES_PEER = """
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric
real, fake = map(torch.from_numpy, (real, fake))
kid = kid_features_to_metric(
    real, fake, kid_subsets=1, kid_subset_size=len(real), kid_kernel="poly", rng_seed=0,
    kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1, verbose=False,
)
frechet = fid_statistics_to_metric(*map(fid_features_to_statistics, (real, fake)), verbose=False)
# It calls the generated ones its first.
found = prc_features_to_metric(fake, real, prc_neighborhood=5, prc_batch_size=1000, verbose=False)
scores = {"kid": kid["kernel_inception_distance_mean"], "precision": found["precision"],
          "frechet_distance": frechet["frechet_inception_distance"], "recall": found["recall"]}
"""
END = """
seconds = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak_mb": peak} | {k: float(v) for k, v in scores.items()}))
"""


def draw_features(folder: Path, pictures: int) -> list[Path]:
    """Write float32 [N, d] of real pictures and of generated ones."""
    random = np.random.default_rng(0)
    directions = random.normal(size=(DIMENSIONS, DIMENSIONS))
    directions *= 0.1 * np.arange(1, DIMENSIONS + 1)[:, np.newaxis] ** -0.7
    paths = [folder / "real.npy", folder / "fake.npy"]
    for path, shift in zip(paths, (0.3, 0.31), strict=True):
        rows = [
            np.maximum(random.normal(size=(min(1000, pictures - start), DIMENSIONS))
                       @ directions + shift, 0).astype(np.float32)
            for start in range(0, pictures, 1000)
        ]  # fmt: skip
        np.save(path, np.concatenate(rows))
    return paths


def unpack(commit: str, folder: Path) -> None:
    """Write the components of an earlier build, as git has it."""
    command = ["git", "archive", commit, "components"]
    packed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if packed.returncode:
        raise SystemExit(f"git has no build {commit} here: fetch it, or give --before")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")


def measure(
    scores: str, build: Path, features: list[Path], python: str = sys.executable
) -> dict[str, float]:
    """Seconds, peak of memory and scores, by one build."""
    command = [python, "-c", START + scores + END, *map(str, features)]
    environment = os.environ | {"PYTHONPATH": str(build)}
    done = subprocess.run(
        command, cwd=build, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def against_peer(ours: list[dict[str, float]], peers: list[dict[str, float]]) -> dict[str, float]:
    """How much longer the peer takes for its scores than this build for all."""
    ratios = [peer["seconds"] / now["seconds"] for now, peer in zip(ours, peers, strict=True)]
    names = peers[0].keys() - {"seconds", "peak_mb"}
    return {
        "peer_seconds": statistics.median(peer["seconds"] for peer in peers),
        "peer_peak_mb": max(peer["peak_mb"] for peer in peers),
        "ratio_to_peer": statistics.median(ratios),
        "ratio_to_peer_lowest": min(ratios),
        "ratio_to_peer_highest": max(ratios),
        "peer_difference": max(abs(ours[0][name] / peers[0][name] - 1) for name in names),
    }


def main() -> None:
    """Measure, print, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pictures", type=int, default=4_000, metavar="N", help="on each side")
    parser.add_argument("--turns", type=int, default=TURNS, metavar="N")
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help="the earlier build")
    parser.add_argument("--peer", metavar="PYTHON", help="one that has torch-fidelity")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        features = draw_features(Path(folder), arguments.pictures)
        earlier = Path(folder, "before")
        unpack(arguments.before, earlier)
        turns, peers = [], []
        for _ in range(arguments.turns):
            turns.append(
                (measure(SCORES_BEFORE, earlier, features), measure(SCORES, ROOT, features))
            )
            if arguments.peer:
                peers.append(measure(SCORES_PEER, Path(folder), features, arguments.peer))
    ratios = [before["seconds"] / now["seconds"] for before, now in turns]
    before, now = turns[0]
    found = {
        "pictures": arguments.pictures,
        "seconds": statistics.median(now["seconds"] for _, now in turns),
        "seconds_before": statistics.median(before["seconds"] for before, _ in turns),
        "ratio_to_before": statistics.median(ratios),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
        "peak_mb": max(now["peak_mb"] for _, now in turns),
        "peak_mb_before": max(before["peak_mb"] for before, _ in turns),
        "kid_difference": abs(now["kid"] - before["kid"]),
        "scores": now,
        "scores_before": before,
    }
    print(
        "scores, {pictures:,} against {pictures:,}: {seconds:.1f} s and {peak_mb:.0f} MB, before "
        "{seconds_before:.1f} s and {peak_mb_before:.0f} MB, ratio {ratio_to_before:.1f} "
        "({ratio_lowest:.1f}–{ratio_highest:.1f}); KIDs differ by {kid_difference:.0e}".format(
            **found
        )
    )
    if peers:
        found |= against_peer([now for _, now in turns], peers)
        print(
            "torch-fidelity: {peer_seconds:.1f} s and {peer_peak_mb:.0f} MB, ratio "
            "{ratio_to_peer:.1f} ({ratio_to_peer_lowest:.1f}–{ratio_to_peer_highest:.1f}); scores "
            "differ by {peer_difference:.0e} of theirs at most".format(**found)
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
