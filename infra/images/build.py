"""Build the images of all steps; ``make images`` calls it. Needs Python and docker alone."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from components.shared.contracts import STEPS  # noqa: E402
from pipeline.container_images import ContainerImages  # noqa: E402

SBOM_IN_IMAGE = "/opt/sbom.cdx.json"
SBOM_FOLDER = ROOT / "build" / "sbom"


def main() -> None:
    """Build, then say what was built, how big it is and where its bill of materials lies."""
    options = parse_arguments()
    images = ContainerImages(options.registry, options.tag, options.accelerator)
    SBOM_FOLDER.mkdir(parents=True, exist_ok=True)
    for step in STEPS:
        reference = images.reference(step)
        build(step, reference, images, options)
        sbom = SBOM_FOLDER / f"{step}.cdx.json"
        sbom.write_bytes(docker("run", "--rm", "--entrypoint=cat", reference, SBOM_IN_IMAGE))
        size = int(docker("image", "inspect", "--format={{.Size}}", reference))
        print(f"{size / 1e6:7,.0f} MB  {reference}")
        if options.push:
            docker("push", reference)
    print(f"bills of materials: {SBOM_FOLDER.relative_to(ROOT)}/")


def parse_arguments() -> argparse.Namespace:
    """Read the command line; an own base needs a tag, since the digest does not see it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--registry", default="", help="e.g. ghcr.io/someone")
    parser.add_argument("--tag", default="", help="default: digest of what goes in")
    parser.add_argument("--accelerator", default="cpu", choices=("cpu", "gpu"))
    parser.add_argument("--python-image", default="", help="base of all images")
    parser.add_argument("--beam-sdk-image", default="", help="has /opt/apache/beam/boot")
    parser.add_argument("--pip-conf", default="", help="pip's settings, for the build alone")
    parser.add_argument("--ca", default="", help="certificates to trust, for the build alone")
    parser.add_argument("--push", action="store_true", help="push what was built")
    options = parser.parse_args()
    if (options.python_image or options.beam_sdk_image) and not options.tag:
        parser.error("TAG: name one, since the digest does not tell one base from another")
    if options.push and not options.registry:
        parser.error("REGISTRY: name one to push to")
    return options


def build(step: str, reference: str, images: ContainerImages, options: argparse.Namespace) -> None:
    """Build one target; BuildKit finds by itself what did not change."""
    arguments = {
        "ACCELERATOR": images.accelerator,
        "VERSION": images.content_digest(step),
        "PYTHON_IMAGE": options.python_image,
        "BEAM_SDK_IMAGE": options.beam_sdk_image,
    }
    given = {"pip.conf": options.pip_conf, "ca.crt": options.ca}
    secrets = {name: Path(path).expanduser() for name, path in given.items() if path}
    docker(
        "build", "--quiet", "--file=infra/images/Dockerfile", f"--target={step}",
        f"--tag={reference}",
        *(f"--build-arg={name}={value}" for name, value in arguments.items() if value),
        *(f"--secret=id={name},src={path}" for name, path in secrets.items()),
        ".",
    )  # fmt: skip


def docker(*arguments: str) -> bytes:
    """Run docker in the repository's root; its own words end this program where it fails."""
    command = [os.environ.get("DOCKER") or "docker", *arguments]
    environment = os.environ | {"DOCKER_BUILDKIT": "1"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, check=False, stdout=subprocess.PIPE
        )
    except OSError as error:
        sys.exit(f"error: cannot run {command[0]} ({error.strerror}); install Docker")
    if done.returncode:
        sys.exit(f"error: docker {arguments[0]} failed; its words are above")
    return done.stdout


if __name__ == "__main__":
    main()
