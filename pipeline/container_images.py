"""Which container image a step runs in. Imports nothing that has to be installed."""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from components.shared.images import image
from pipeline.code_version import code_version

if TYPE_CHECKING:
    from kfp import dsl

Accelerator = Literal["cpu", "gpu"]

_BUILT_FROM = Path(__file__).parents[1] / "infra" / "images"
_RECIPE = (
    "Dockerfile", "Dockerfile.dockerignore", "entrypoint.sh", "install.sh", "sbom.py",
    "locks/kfp.txt", "locks/sbom.txt",
)  # fmt: skip


class ContainerImages(NamedTuple):
    """Where the images of all steps come from, as given to ``make images``.

    Attributes:
        registry: Registry and path, e.g. ``ghcr.io/someone``; empty for local images.
        tag: Tag of all images; empty for each step's content digest. Caches take an image
            for the same as long as its name is, so a tag must never move.
        accelerator: What the train image computes on.
    """

    registry: str = ""
    tag: str = ""
    accelerator: Accelerator = "cpu"

    def reference(self, step: str) -> str:
        """Full name of a step's image, e.g. ``dcgan-pipeline/train:8c1f0a6be2d4``."""
        prefix = f"{self.registry.rstrip('/')}/" if self.registry else ""
        return f"{prefix}{image(step)}:{self.tag or self.content_digest(step)}"

    def place(self, task: "dsl.PipelineTask", step: str) -> None:
        """Have a task of the DAG run in its step's image."""
        task.set_container_image(self.reference(step))

    def content_digest(self, step: str) -> str:
        """Digest of all that goes into a step's image: code, locks, and how it is built."""
        digest = hashlib.sha256(code_version(step).encode())
        for name in (*_RECIPE, *_locks(step, self.accelerator)):
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.sha256((_BUILT_FROM / name).read_bytes()).digest())
        return digest.hexdigest()[:12]

    def holds(self, step: str, package: str) -> bool:
        """Whether a step's image, made from these locks, has a package."""
        locks = (
            (_BUILT_FROM / name).read_text(encoding="utf-8")
            for name in _locks(step, self.accelerator)
        )
        return any(re.search(rf"^{package}==", lock, re.MULTILINE) for lock in locks)


def _locks(step: str, accelerator: Accelerator) -> list[str]:
    """Files that say which packages go into a step's image."""
    if (step, accelerator) == ("train", "gpu"):
        return ["locks/train-gpu.txt"]
    if step == "ingest":
        return ["locks/ingest.txt"]
    return ["locks/tensorflow-cpu.txt", f"locks/{step}.txt"]
