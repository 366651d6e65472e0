"""Speed of our training step against the write-up's, on one core and all, and of the input alone.

Each contender has a process of its own; they take turns, so that whatever else the machine
does meets all alike. What counts is the ratio of the medians, with its spread over turns.

    python tests/benchmarks/train_step.py [--json FILE]
"""

import argparse
import contextlib
import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from input_pipeline import images_per_second

from pipeline.config import load_config

CONTENDERS = Path(__file__).with_name("contenders.py")
BATCHES = (10, 64, 128)
TURNS = 7


class Contender:
    """A process that runs one kind of step when asked to."""

    def __init__(self, name: str, batch: int) -> None:
        """Start it, and wait until it is warm."""
        self._process = subprocess.Popen(
            [sys.executable, str(CONTENDERS), name, str(batch)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        if self._process.stdout.readline() != "ready\n":
            raise SystemExit(f"'{name}' at batch {batch} did not start: see above")

    def turn(self) -> float:
        """Seconds of a step."""
        self._process.stdin.write("turn\n")
        return float(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@contextlib.contextmanager
def contenders(names: list[str], batch: int) -> Iterator[list[Contender]]:
    """Start all of them, one after the other."""
    with contextlib.ExitStack() as stack:
        started = []
        for name in names:
            started.append(Contender(name, batch))
            stack.callback(started[-1].close)
        yield started


def race(names: list[str], batch: int) -> dict[str, dict[str, float]]:
    """Pictures per second of each, and its ratio to the first, with spread over the turns."""
    with contenders(names, batch) as racing:
        turns = [[contender.turn() for contender in racing] for _ in range(TURNS)]
    seconds = list(zip(*turns, strict=True))
    found = {}
    for name, mine in zip(names, seconds, strict=True):
        ratios = [first / own for first, own in zip(seconds[0], mine, strict=True)]
        found[name] = {
            "images_per_second": batch / statistics.median(mine),
            "ratio": statistics.median(seconds[0]) / statistics.median(mine),
            "ratio_lowest": min(ratios),
            "ratio_highest": max(ratios),
        }
    return found


def names_here() -> list[str]:
    """Contenders that this machine can run, the one to compare with first."""
    from components.train.hardware import has_bfloat16

    names = ["write-up", "ours, float32"]
    if has_bfloat16():
        names.append("ours, bfloat16")
    if importlib.util.find_spec("torch"):
        names.append("PyTorch")
    return names


def main() -> None:
    """Measure all, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    names = names_here()
    print(f"{'64×64':26}{'pictures/s':>12}{'ratio (lowest–highest)':>26}")
    races = [(batch, names) for batch in BATCHES]
    demo = load_config("demo").train.batch_size
    races.append((demo, ["demo, one core", "demo, all cores"]))
    races.append((demo, ["demo, all cores", "demo, 2 classes", "demo, 40 classes"]))
    steps = []
    for batch, racing in races:
        steps.append({"batch": batch, "contenders": race(racing, batch)})
        for name, found in steps[-1]["contenders"].items():
            spread = "{ratio:.2f} ({ratio_lowest:.2f}–{ratio_highest:.2f})".format(**found)
            rate = found["images_per_second"]
            print(f"batch {batch:<4}{name:16}{rate:12.1f}{spread:>26}", flush=True)
    pipeline = images_per_second()
    for name, rate in pipeline.items():
        print(f"{'input alone, ' + name:26}{rate:12,.0f}", flush=True)
    if arguments.json:
        results = {"steps": steps, "input_images_per_second": pipeline}
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
