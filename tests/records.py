"""A `records` folder like ingest's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from components.shared.contracts import MANIFEST
from components.shared.files import write_json
from components.shared.records import Record, write_shard


def write_records(
    folder: Path,
    labels: Mapping[str, Sequence[int]] | None = None,
    names: Sequence[str] = (),
    **splits: np.ndarray,
) -> Path:
    """Write a `records` folder like ingest's.

    Args:
        folder: To be made.
        labels: Class of each picture, per split; None for pictures without classes.
        names: Of the classes; those that have none are called by their number.
        splits: uint8 [N, S, S, 3] each.
    """
    folder.mkdir()
    for split, images in splits.items():
        numbers = labels[split] if labels else [None] * len(images)
        records = [
            Record(f"{index:064x}", image.tobytes(), number)
            for index, (image, number) in enumerate(zip(images, numbers, strict=True))
        ]
        write_shard(folder / f"{split}-00000-of-00001.tfrecord", records)
    counts = {split: len(images) for split, images in splits.items()}
    size = next(iter(splits.values())).shape[1]
    manifest = {
        "digest": folder.name,
        "config": {"image_size": size},
        "image_size": size,
        "counts": counts | {"duplicate": 0, "rejected": 3, "seen": sum(counts.values()) + 3},
        "near_duplicates": None,
        "classes": _classes(labels, names) if labels else [],
        "rejected_by_reason": {"empty": 1, "truncated": 2},
        "sizes": {
            "shorter_side": {"edges": [32, 2048], "counts": [0, sum(counts.values()), 0]},
            "aspect": {"edges": [0.95, 1.05], "counts": [0, sum(counts.values()), 0]},
        },
    }
    write_json(folder / MANIFEST, manifest)
    return folder


def _classes(labels: Mapping[str, Sequence[int]], names: Sequence[str]) -> list[dict[str, Any]]:
    count = max(len(names), *(max(numbers) + 1 for numbers in labels.values()))
    per_split = {split: np.bincount(numbers, minlength=count) for split, numbers in labels.items()}
    return [
        {"name": names[number] if number < len(names) else f"class {number}", "rejected": number}
        | {split: int(counts[number]) for split, counts in per_split.items()}
        for number in range(count)
    ]
