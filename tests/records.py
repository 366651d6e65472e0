"""A `records` folder like ingest's."""

from pathlib import Path

import numpy as np

from components.shared.contracts import MANIFEST
from components.shared.files import write_json
from components.shared.records import Record, write_shard


def write_records(folder: Path, **splits: np.ndarray) -> Path:
    """Write a `records` folder like ingest's from uint8 [N, S, S, 3] per split."""
    folder.mkdir()
    for split, images in splits.items():
        records = [Record(f"{index:064x}", image.tobytes()) for index, image in enumerate(images)]
        write_shard(folder / f"{split}-00000-of-00001.tfrecord", records)
    counts = {split: len(images) for split, images in splits.items()}
    size = next(iter(splits.values())).shape[1]
    manifest = {
        "digest": folder.name,
        "config": {"image_size": size},
        "image_size": size,
        "counts": counts | {"duplicate": 0, "rejected": 3, "seen": sum(counts.values()) + 3},
        "near_duplicates": None,
        "classes": [],
        "rejected_by_reason": {"empty": 1, "truncated": 2},
        "sizes": {
            "shorter_side": {"edges": [32, 2048], "counts": [0, sum(counts.values()), 0]},
            "aspect": {"edges": [0.95, 1.05], "counts": [0, sum(counts.values()), 0]},
        },
    }
    write_json(folder / MANIFEST, manifest)
    return folder
