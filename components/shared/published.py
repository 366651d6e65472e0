"""What is published: the versions of a model, and the champion, which is the newest.

The layout is TensorFlow Serving's, <root>/<name>/<version>/; names that are no numbers
are none of its versions.
"""

from pathlib import Path
from typing import NamedTuple

from components.shared.contracts import MODEL_INFO
from components.shared.files import read_json

WITHDRAWN = "withdrawn"  # in a version's model.json: digests of models never to publish again


class Published(NamedTuple):
    """A version that this pipeline published."""

    folder: Path
    version: int
    digest: str  # of the generator's weights
    withdrawn: tuple[str, ...] = ()  # digests of models that were rolled back


def champion_in(home: Path) -> Published | None:
    """Find the newest version of a model, the one that is served.

    Args:
        home: Folder of the model under the publish root; it need not exist.

    Returns:
        None where there is no version, or the newest was not made by this pipeline.
    """
    newest = max(versions_in(home), default=None)
    return None if newest is None else published_in(home, newest)


def published_in(home: Path, version: int) -> Published | None:
    """Read what a version is; None where it was not made by this pipeline."""
    folder = home / str(version)
    try:
        info = read_json(folder / MODEL_INFO)
        return Published(folder, version, info["digest"], tuple(info.get(WITHDRAWN, ())))
    except (FileNotFoundError, NotADirectoryError, AttributeError, ValueError, KeyError, TypeError):
        return None


def versions_in(home: Path) -> list[int]:
    """Numbers of the versions in a model's folder, in no order; none where it is missing."""
    try:
        names = [path.name for path in home.iterdir()]
    except FileNotFoundError:
        return []
    return [int(name) for name in names if name.isascii() and name.isdigit()]
