"""Publishing what was judged, in one word."""

from collections.abc import Mapping
from pathlib import Path

from components.export.publish import publish as publish_comparison


def publish(
    model: Path,
    root: str | Path,
    champion: str | None = None,
    beside: Mapping[str, Path] | None = None,
    *,
    blessed: bool = True,
    versions_kept: int = 5,
) -> str:
    """Publish a model that was judged better than `champion`."""
    comparison = {"blessed": blessed, "reason": "KID 0.6 is above 0.5", "champion": champion}
    return publish_comparison(model, root, comparison, beside or {}, versions_kept=versions_kept)
