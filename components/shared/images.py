"""Names of the container images, one a step."""


def image(step: str) -> str:
    """Repository of a step's image, without registry and tag, e.g. ``dcgan-pipeline/train``."""
    return f"dcgan-pipeline/{step}"
