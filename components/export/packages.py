"""Packages that only some options need."""

from importlib.util import find_spec

from components.export.config import ExportConfig
from components.shared.errors import UsageError

_NEEDED = {"mp4": "av", "onnx": "tf2onnx"}


def check_packages(config: ExportConfig) -> None:
    """Raise UsageError where an option asks for what no installed package can make."""
    chosen = {"animations": config.animations, "formats": config.formats}
    for option, names in chosen.items():
        for name in names:
            package = _NEEDED.get(name)
            if package and not find_spec(package):
                raise UsageError(
                    f"export.{option}: {name} needs the package {package}, which is not "
                    f"installed: pip install {package}, or leave {name} out"
                )
