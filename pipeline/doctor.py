"""What this machine has, and what of it would make a run fail."""

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

_DISTRIBUTION = "dcgan-pipeline"
_PACKAGES = ("tensorflow", "tensorflow-transform", "apache-beam", "kfp", "numpy", "keras")
_MIN_FREE_GIB = 1


class Check(NamedTuple):
    """One finding; `ok` is False where a run would fail."""

    name: str
    ok: bool
    finding: str


def examine(runs_dir: Path) -> list[Check]:
    """Look at versions, name clashes, disk, GPU and runners; imports nothing heavy."""
    return [_python(), *map(_version, _PACKAGES), _name_clash(), _disk(runs_dir), _gpu(), _docker()]


def _python() -> Check:
    found = platform.python_version()
    return Check("Python", found.startswith("3.11."), f"{found}, {os.cpu_count()} cores")


def _version(package: str) -> Check:
    try:
        return Check(package, True, metadata.version(package))
    except metadata.PackageNotFoundError:
        return Check(package, False, "not installed; run `make setup`")


def _name_clash() -> Check:
    """Look for another distribution that brings a package of one of our names."""
    owners = metadata.packages_distributions()
    clashes = {
        f"{package} ({owner})"
        for package in ("components", "pipeline")
        for owner in owners.get(package, ())
        if owner != _DISTRIBUTION
    }
    if clashes:
        return Check("names", False, f"also owned by another distribution: {', '.join(clashes)}")
    return Check("names", True, "components and pipeline are ours alone")


def _disk(runs_dir: Path) -> Check:
    existing = next(path for path in (runs_dir, *runs_dir.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**30
    writable = os.access(existing, os.W_OK)
    finding = f"{free:.0f} GiB free at {existing}" + ("" if writable else ", not writable")
    return Check("disk", writable and free >= _MIN_FREE_GIB, finding)


def _gpu() -> Check:
    """Ask the driver; its absence is no failure."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    return Check("GPU", True, _first_line(command) or "none: training runs on the CPU")


def _docker() -> Check:
    version = _first_line(["docker", "version", "--format", "{{.Server.Version}}"])
    runners = f"subprocess, docker (engine {version})" if version else "subprocess"
    return Check("runners", True, runners)


def _first_line(command: list[str]) -> str | None:
    """First line that a program prints, None where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip().partition("\n")[0] or None
