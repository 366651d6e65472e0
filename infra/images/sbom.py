"""Write the software bill of materials of the image that this runs in: CycloneDX 1.6, JSON.

Holds Python, the Debian packages of the base and the packages of the virtual environment.
"""

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import OutputFormat, make_outputter
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL

_DPKG_STATUS = Path("/var/lib/dpkg/status")


def main(site_packages: str, out: str) -> None:
    """Describe `site_packages` and the base of this image in the file `out`."""
    python = Component(
        name="cpython", version=platform.python_version(), type=ComponentType.PLATFORM
    )
    packages = [*_debian_packages(), *_python_packages(site_packages)]
    bom = Bom(components=[python, *packages])
    outputter = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6)
    outputter.output_to_file(out, allow_overwrite=True, indent=1)


def _python_packages(site_packages: str) -> Iterator[Component]:
    licenses = LicenseFactory()
    for distribution in distributions(path=[site_packages]):
        metadata = distribution.metadata
        name = metadata["Name"].lower().replace("_", "-")
        license_text = metadata.get("License-Expression") or metadata.get("License") or ""
        known = license_text and "\n" not in license_text  # some bring the whole text
        yield Component(
            name=name,
            version=distribution.version,
            type=ComponentType.LIBRARY,
            licenses=[licenses.make_from_string(license_text)] if known else (),
            purl=PackageURL("pypi", name=name, version=distribution.version),
        )


def _debian_packages() -> Iterator[Component]:
    """Yield what dpkg has installed; its database is paragraphs of `Key: value` lines."""
    for paragraph in _DPKG_STATUS.read_text(encoding="utf-8").strip().split("\n\n"):
        lines = (line.partition(": ") for line in paragraph.split("\n") if line[:1] != " ")
        fields = {key: value for key, _, value in lines}
        if fields["Status"].endswith(" installed"):
            name, version = fields["Package"], fields["Version"]
            architecture = {"arch": fields["Architecture"]}
            yield Component(
                name=name,
                version=version,
                type=ComponentType.LIBRARY,
                purl=PackageURL("deb", "debian", name, version, architecture),
            )


if __name__ == "__main__":
    main(*sys.argv[1:])
