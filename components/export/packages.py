"""Packages that only some options need."""

from importlib.util import find_spec

from components.export.config import ExportConfig
from components.shared.errors import UsageError

_NEEDED = {"mp4": "av"}


def check_packages(config: ExportConfig) -> None:
    """Raise UsageError where an option asks for what no installed package can make."""
    for name in config.animations:
        package = _NEEDED.get(name)
        if package and not find_spec(package):
            raise UsageError(
                f"export.animations: {name} needs the package {package}, which is not installed: "
                f"pip install {package}, or leave {name} out"
            )
