"""Names of the container images, one a step."""

_REPOSITORY = "dcgan-pipeline"
_TAG = "0.1.0"


def image(step: str) -> str:
    """Image reference of a step, e.g. ``dcgan-pipeline/train:0.1.0``."""
    return f"{_REPOSITORY}/{step}:{_TAG}"
