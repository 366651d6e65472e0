"""Time of evaluate for 1,000 generated against 1,000 held-out pictures, controls included.

Each measurement is a process of its own, imports included. The first of a pair describes the
real pictures, the second finds their features kept; the ratio says what that saves.

    python tests/benchmarks/evaluate.py [--json FILE]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ingest import write_faces

PICTURES = 1_000  # on each side
PAIRS = 3

PREPARE = """
import sys
from pathlib import Path
from components.ingest.config import IngestConfig
from components.ingest.step import ingest
from components.shared.contracts import SNAPSHOTS
from components.train.config import TrainConfig
from components.train.networks import build_generator
folder = Path(sys.argv[1])
config = IngestConfig(eval_share=0.5)
print(ingest(str(folder / "faces"), folder / "records", config)["counts"]["eval"])
(folder / "training" / SNAPSHOTS).mkdir(parents=True)
generator = build_generator(TrainConfig(base_width=128, kernel_size=4), 64)
generator.save(folder / "training" / SNAPSHOTS / "epoch-0001.keras")
"""
EVALUATE = """
import sys
from pathlib import Path
from components.evaluate.config import EvaluateConfig
from components.evaluate.step import evaluate
folder = Path(sys.argv[1])
inputs = folder / "records", folder / "training", folder / "evaluation"
scores = evaluate(*inputs, folder / sys.argv[2], EvaluateConfig(samples=int(sys.argv[3])))
assert scores["real_images"] == scores["generated_images"] == int(sys.argv[3])
"""
TIMED = """
import time
started = time.perf_counter()
{body}
print(time.perf_counter() - started)
"""


def run(code: str, *arguments: object) -> str:
    """Run code in a process of its own; gives its last line."""
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def main() -> None:
    """Measure, print, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    timed = TIMED.format(body=EVALUATE)
    with tempfile.TemporaryDirectory() as folder:
        faces = Path(folder, "faces")
        faces.mkdir()
        write_faces(faces, 2 * PICTURES + 200)  # the split by content is not to the picture
        assert int(run(PREPARE, folder)) >= PICTURES
        pairs = [
            [float(run(timed, folder, f"cache {number}", PICTURES)) for _ in ("first", "again")]
            for number in range(PAIRS)
        ]
    ratios = [first / again for first, again in pairs]
    firsts, agains = zip(*pairs, strict=True)
    found = {
        "seconds": statistics.median(firsts),
        "seconds_kept": statistics.median(agains),
        "ratio": statistics.median(ratios),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
    }
    print(f"evaluate, {PICTURES:,} against {PICTURES:,}: {found['seconds']:.1f} s")
    print(
        "features of real pictures kept: {seconds_kept:.1f} s, ratio {ratio:.2f} "
        "({ratio_lowest:.2f}–{ratio_highest:.2f})".format(**found)
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
