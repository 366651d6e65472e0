"""Packages that only some options of export need, held against what its image has."""

from components.export.config import ExportConfig
from components.export.packages import packages_for
from components.shared.errors import UsageError
from pipeline.container_images import ContainerImages


def check_image(config: ExportConfig, reference: str, way_out: str) -> None:
    """Raise UsageError where an option asks for what the image of export cannot make.

    Args:
        config: Settings of export.
        reference: Of the image, which was made from this code, and has nothing added.
        way_out: What to do instead, as an imperative.
    """
    for option, value, package in packages_for(config):
        if not ContainerImages().holds("export", package):
            raise UsageError(
                f"export.{option}: {value} needs the package {package}, which the image "
                f"{reference} does not hold: leave {value} out, or {way_out}"
            )
