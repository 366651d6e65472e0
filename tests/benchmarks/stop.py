"""Time from SIGTERM to a durable checkpoint, of this build and of an earlier one.

Both train at the size of the profile `seed`. Each has a process of its own; they take turns,
and so does a file of as many bytes, written and synced and nothing else. The clock starts with
the signal, which comes when a step has just ended, and stops when file and folder are synced.

    python tests/benchmarks/stop.py [--before COMMIT] [--json FILE]
"""

import argparse
import contextlib
import inspect
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEFORE = "daf19f0"  # copied all state twice, and wrote it by `np.savez`
TURNS = 5
IMAGE_SIZE = 64
MEMORY = Path("/dev/shm")  # a disk that costs nothing: what is left is ours


class Training:
    """A process that trains by one build, and is stopped when asked to."""

    def __init__(self, build: Path) -> None:
        """Start it, and wait until it has made its networks."""
        environment = os.environ | {"PYTHONPATH": str(build), "TF_CPP_MIN_LOG_LEVEL": "2"}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, "--train"], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        if self._process.stdout.readline() != f"ready {build}\n":
            raise SystemExit(f"the training by {build} did not start: see above")

    def turn(self, folder: str) -> tuple[float, int]:
        """Seconds from the signal to the checkpoint, and its bytes."""
        self._process.stdin.write(f"{folder}\n")
        seconds, size = self._process.stdout.readline().split()
        return float(seconds), int(size)

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


@contextlib.contextmanager
def trainings(before: str) -> Iterator[list[Training]]:
    """The earlier build, as git has it, and this one."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        command = ["git", "archive", before, "components", "pipeline"]
        packed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
        if packed.returncode:
            raise SystemExit(f"git has no build {before} here: fetch it, or give --before")
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        started = []
        for build in (Path(folder), ROOT):
            started.append(Training(build))
            stack.callback(started[-1].close)
        yield started


def bare(folder: str, size: int) -> float:
    """Seconds to write and sync a file of so many bytes, which no cache holds."""
    content = os.urandom(2**20) * (size // 2**20)
    with Path(folder, "bare").open("wb") as file:
        started = time.perf_counter()
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        return time.perf_counter() - started


def race(racing: list[Training], place: Path | None) -> dict[str, float]:
    """Seconds of each in turns, and ratios to this build's, with spread over the turns."""
    turns = []
    for _ in range(TURNS + 1):
        found = []
        for training in racing:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                seconds, size = training.turn(folder)
                found.append(seconds)
        with tempfile.TemporaryDirectory(dir=place) as folder:
            found.append(bare(folder, size))
        turns.append(found)
    before, now, alone = zip(*turns[1:], strict=True)  # the first one also traces
    faster = [old / new for old, new in zip(before, now, strict=True)]
    of_bare = [new / least for new, least in zip(now, alone, strict=True)]
    return {
        "megabytes": size / 1e6,
        "seconds_before": statistics.median(before),
        "seconds": statistics.median(now),
        "seconds_lowest": min(now), "seconds_highest": max(now),
        "bare_seconds": statistics.median(alone),
        "ratio": statistics.median(before) / statistics.median(now),
        "ratio_lowest": min(faster), "ratio_highest": max(faster),
        "of_bare": statistics.median(now) / statistics.median(alone),
        "of_bare_lowest": min(of_bare), "of_bare_highest": max(of_bare),
    }  # fmt: skip


def train() -> None:
    """Train for a step, and be stopped, for each folder that is asked for."""
    import tensorflow as tf

    from components.shared.errors import Terminated
    from components.train import checkpoints
    from components.train.loop import TrainingLoop
    from components.train.replicas import Replicas
    from components.train.trainer import Trainer
    from components.train.training_folder import TrainingFolder
    from pipeline.config import load_config

    tf.get_logger().setLevel("ERROR")  # each turn traces its input anew
    tf.config.optimizer.set_experimental_options({"remapping": False})  # as the step does
    config = load_config("seed").train
    trainer = Trainer(config, IMAGE_SIZE)
    pictures = [os.urandom(IMAGE_SIZE**2 * 3) for _ in range(10 * config.batch_size)]
    alone, times = Replicas(tf.distribute.get_strategy()), {}
    step, sync = trainer.train_step, checkpoints._sync

    def step_and_signal(*arguments: object) -> None:
        step(*arguments)
        times["signal"] = time.perf_counter()
        os.kill(os.getpid(), signal.SIGTERM)

    def observed_sync(folder: Path) -> None:
        sync(folder)
        times["durable"] = time.perf_counter()

    def normalize(raw: tf.Tensor) -> tf.Tensor:
        pixels = tf.reshape(tf.io.decode_raw(raw, tf.uint8), [-1, IMAGE_SIZE, IMAGE_SIZE, 3])
        return tf.cast(pixels, tf.float32) / 127.5 - 1

    trainer.train_step, checkpoints._sync = step_and_signal, observed_sync
    # Earlier builds know no classes.
    manifest = [{}] if "manifest" in inspect.signature(TrainingLoop).parameters else []
    print("ready", Path(checkpoints.__file__).parents[2], flush=True)
    for line in sys.stdin:
        folder = TrainingFolder(Path(line.strip()), {})
        with folder, contextlib.suppress(Terminated):
            places = folder, config, folder.path, *manifest
            TrainingLoop(trainer, *places, pictures, alone).run(normalize)
        (checkpoint,) = folder.path.glob("checkpoints/step-*.npz")
        print(times["durable"] - times["signal"], checkpoint.stat().st_size, flush=True)


def main() -> None:
    """Measure, print, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", default=BEFORE, metavar="COMMIT", help="the earlier build")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train:
        return train()
    places = {"disk": None} | ({"memory": MEMORY} if MEMORY.is_dir() else {})
    results = {}
    with trainings(arguments.before) as racing:
        for name, place in places.items():
            results[name] = race(racing, place)
            print(
                "SIGTERM to checkpoint, {megabytes:.0f} MB to {name}: {seconds:.2f} s "
                "({seconds_lowest:.2f}–{seconds_highest:.2f}), before {seconds_before:.2f} s, "
                "ratio {ratio:.2f} ({ratio_lowest:.2f}–{ratio_highest:.2f}); a bare file "
                "{bare_seconds:.2f} s, of which it is {of_bare:.2f} times "
                "({of_bare_lowest:.2f}–{of_bare_highest:.2f})".format(name=name, **results[name]),
                flush=True,
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
