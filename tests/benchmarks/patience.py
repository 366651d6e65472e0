"""What `train.patience` costs: the demo's step while a snapshot is scored beside it, and without.

The process that scores is stopped and let on in turns, and scores one snapshot after the other
while it may.

    python tests/benchmarks/patience.py [--json FILE]
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from contenders import Step, demo
from ingest import DEMO

from components.ingest.config import IngestConfig
from components.ingest.step import ingest
from components.train.networks import build_generator
from components.train.patience import SAMPLES
from pipeline.config import load_config

TURNS = 10
SECONDS_PER_TURN = 4.0
SCORED = 3


def start(folder: Path) -> subprocess.Popen[str]:
    """Start the process that scores, with more snapshots to score than it comes to."""
    ingest(str(DEMO), folder / "records", IngestConfig())
    paths = [str(folder / f"{number}.keras") for number in range(3)]  # it remembers two
    for path in paths:
        build_generator(load_config("demo").train, 64).save(path)
    process = subprocess.Popen(
        [sys.executable, "-m", "components.train.snapshot_kid", folder / "records", str(SAMPLES)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for number in range(200):
        print(json.dumps([paths[number % 3], None]), file=process.stdin, flush=True)
    process.stdout.readline()
    return process


def seconds_to_score(process: subprocess.Popen[str]) -> float:
    """Seconds a snapshot, with both cores to itself."""
    started = time.perf_counter()
    for _ in range(SCORED):
        process.stdout.readline()
    return (time.perf_counter() - started) / SCORED


def seconds_of_a_step(step: Step) -> float:
    """Mean over a turn, since what comes in between comes now and then."""
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS_PER_TURN:
        step()
        done += 1
    return (time.perf_counter() - started) / done


def main() -> None:
    """Measure, print, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process = start(Path(folder))
        alone = seconds_to_score(process)
        process.send_signal(signal.SIGSTOP)
        step = demo(load_config("demo").train.batch_size)
        seconds_of_a_step(step)  # traced and warm
        pairs = []
        for _ in range(TURNS):
            process.send_signal(signal.SIGCONT)
            beside = seconds_of_a_step(step)
            process.send_signal(signal.SIGSTOP)
            pairs.append((seconds_of_a_step(step), beside))
        process.kill()
        process.communicate()
    ratios = [beside / without for without, beside in pairs]
    found = {
        "seconds_to_score": alone,
        "step_ratio": statistics.median(ratios),
        "step_ratio_lowest": min(ratios),
        "step_ratio_highest": max(ratios),
    }
    print(
        "a snapshot is scored in {seconds_to_score:.1f} s; beside that a step takes "
        "{step_ratio:.3f} times as long ({step_ratio_lowest:.3f}–{step_ratio_highest:.3f})".format(
            **found
        )
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
