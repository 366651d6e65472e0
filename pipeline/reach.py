"""What a run's steps reach outside of its own folders."""

from pathlib import Path
from typing import NamedTuple

from components.ingest.addresses import all_addresses, local_paths
from components.shared.buckets import is_remote
from components.shared.contracts import BASE
from pipeline.config import PipelineConfig


class Reach(NamedTuple):
    """Outside of the runs' folder.

    Attributes:
        read: Files and folders of this machine, absolute.
        write: Folders of this machine, absolute.
        in_buckets: Whether any step reads from a bucket, or writes to one.
    """

    read: list[Path]
    write: list[Path]
    in_buckets: bool


def reach_of(config: PipelineConfig, publish_root: str) -> Reach:
    """What the steps of a run reach: pictures, models, what publishes, Beam's staging.

    Args:
        config: Resolved configuration.
        publish_root: A folder, `gs://…` or `s3://…`.

    Raises:
        OSError: A manifest of pictures cannot be read.
        UsageError: It is empty, or no text.
    """
    model = "" if config.train.warm_start == BASE else config.train.warm_start
    source = config.evaluate.extractor_source
    written = [
        place for place in (publish_root, config.ingest.staging, config.transform.staging) if place
    ]
    outside = (*all_addresses(config.sources), model, source, *written)
    return Reach(
        read=local_paths("\n".join((config.sources, source, model))),
        write=[Path(place).absolute() for place in written if not is_remote(place)],
        in_buckets=any(map(is_remote, outside)),
    )
