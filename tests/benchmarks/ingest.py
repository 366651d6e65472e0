"""Speed and memory of ingest against the write-up's loop over imageio, on the same pictures.

Each measurement is a process of its own; the two take turns, so that whatever else the machine
does meets both alike. What counts is the ratio of the medians, with its spread over turns.

    python tests/benchmarks/ingest.py [--faces FOLDER] [--json FILE]
"""

import argparse
import io
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance
from slow_bucket import slow_bucket

DEMO = Path(__file__).parents[2] / "pipeline" / "demo" / "faces_cc0_1000.zip"
COUNT = 21_551  # as many as the write-up's
SLOPE = (5_000, 20_000, 80_000)
TURNS = 5
REMOTE, LATENCY = 1_000, 0.02  # pictures; seconds a read waits for an answer

WRITE_UP = """
import os
import imageio.v2 as imageio, numpy as np
paths = [os.path.join(SOURCE, name) for name in sorted(os.listdir(SOURCE))]
images = np.asarray([imageio.imread(path) for path in paths], np.float32)
images = (images - 127.5) / 127.5
count = len(images)
"""
OURS = """
import tempfile
from pathlib import Path
from components.ingest.config import IngestConfig
from components.ingest.step import ingest
with tempfile.TemporaryDirectory() as folder:
    count = ingest(SOURCE, Path(folder, "records"), IngestConfig())["counts"]["seen"]
"""
READ = """
from components.ingest.sources import open_source
with open_source(SOURCE) as source:
    pictures = source.list().pictures
    started = time.perf_counter()
    count = sum(isinstance(content, bytes) for content in source.read(pictures))
"""
MEASURED = """
import json, resource, sys, time
SOURCE = sys.argv[1]
started = time.perf_counter()
{body}
seconds = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({{
    "images": count, "seconds": seconds, "images_per_second": count / seconds,
    "peak_mb": used.ru_maxrss / 1024, "cpu_seconds": used.ru_utime + used.ru_stime,
}}))
"""


def measure(body: str, source: str) -> dict[str, float]:
    """Run it in a process of its own, start and imports included but for the interpreter's."""
    command = [sys.executable, "-W", "ignore", "-c", MEASURED.format(body=body), source]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_faces(folder: Path, count: int) -> None:
    """Write JPEG pictures of 64×64 pixels, each another: demo faces in other colours."""
    with zipfile.ZipFile(DEMO) as archive:
        names = [name for name in archive.namelist() if name.endswith(".jpg")]
        faces = [Image.open(io.BytesIO(archive.read(name))).convert("RGB") for name in names]
    shades = itertools.product(range(-(-count // len(faces))), faces)
    for index, (step, face) in enumerate(itertools.islice(shades, count)):
        picture = ImageEnhance.Color(face.resize((64, 64))).enhance(1 + step / 100)
        picture.save(folder / f"{index:06}.jpg", quality=90)


def part_of(faces: Path, folder: Path, count: int) -> Path:
    """Link the first of the pictures into a folder of their own."""
    part = folder / str(count)
    part.mkdir()
    for path in sorted(faces.iterdir())[:count]:
        (part / path.name).hardlink_to(path)
    return part


def race(source: Path) -> dict[str, Any]:
    """Ours and the write-up's in turns."""
    turns = [[measure(body, str(source)) for body in (WRITE_UP, OURS)] for _ in range(TURNS)]
    ratios = [ours["images_per_second"] / write_up["images_per_second"] for write_up, ours in turns]
    found: dict[str, Any] = {}
    for name, mine in zip(("write-up", "ours"), zip(*turns, strict=True), strict=True):
        found[name] = {key: statistics.median(one[key] for one in mine) for key in mine[0]}
    rates = [found[name]["images_per_second"] for name in ("ours", "write-up")]
    found["ratio"] = rates[0] / rates[1]
    found["ratio_lowest"], found["ratio_highest"] = min(ratios), max(ratios)
    return found


def row(name: str, found: dict[str, float]) -> str:
    """A line of the table."""
    return "{name:24}{images_per_second:12,.0f}{peak_mb:10,.0f}{cpu_seconds:14,.1f}".format(
        name=name, **found
    )


def main() -> None:
    """Measure all, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faces", type=Path, metavar="FOLDER", help="80,000 pictures to use")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        faces = arguments.faces
        if faces is None:
            faces = folder / "faces"
            faces.mkdir()
            write_faces(faces, max(SLOPE))
        print(f"{'ingest, 64×64 JPEG':24}{'pictures/s':>12}{'peak MB':>10}{'CPU seconds':>14}")
        raced = race(part_of(faces, folder, COUNT))
        for name in ("write-up", "ours"):
            print(row(f"{COUNT:,}, {name}", raced[name]))
        print("ratio {ratio:.2f} ({ratio_lowest:.2f}–{ratio_highest:.2f})".format(**raced))
        slope = {}
        for count in SLOPE:
            slope[str(count)] = measure(OURS, str(part_of(faces, folder, count)))
            print(row(f"{count:,}, ours", slope[str(count)]), flush=True)
        with slow_bucket(part_of(faces, folder, REMOTE), LATENCY) as address:
            remote = measure(READ, address)
        print(f"{REMOTE:,} from a bucket, {LATENCY * 1000:.0f} ms each: {remote['seconds']:.2f} s")
    if arguments.json:
        results = {"race": raced, "slope": slope, "remote": remote}
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
