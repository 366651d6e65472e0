"""Packages that only some options need."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import NamedTuple

from components.export.config import ExportConfig
from components.shared.errors import UsageError

_NEEDED = {"mp4": "av", "onnx": "tf2onnx"}


class Needed(NamedTuple):
    """A package, and what asks for it."""

    option: str  # of export
    value: str
    package: str


def packages_for(config: ExportConfig) -> Iterator[Needed]:
    """What the chosen options need beside what every installation has."""
    chosen = {"animations": config.animations, "formats": config.formats}
    for option, values in chosen.items():
        for value in values:
            if value in _NEEDED:
                yield Needed(option, value, _NEEDED[value])


def check_packages(config: ExportConfig) -> None:
    """Raise UsageError where an option asks for what no installed package can make."""
    for option, value, package in packages_for(config):
        if not find_spec(package):
            raise UsageError(
                f"export.{option}: {value} needs the package {package}, which is not installed: "
                f"pip install {package}, or leave {value} out"
            )
