"""Files that are called pictures and are none: enough that ingest alone refuses the run."""

from pathlib import Path

_COUNT = 60  # more than a run of the demo's settings needs


def write_broken_pictures(folder: Path, prefix: str = "") -> None:
    """Make the folder, and the files in it, by names that begin with `prefix`."""
    folder.mkdir(parents=True)
    for number in range(_COUNT):
        (folder / f"{prefix}{number}.png").write_bytes(b"no picture")
