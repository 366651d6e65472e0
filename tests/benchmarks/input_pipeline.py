"""Pictures per second of the input pipeline alone, from memory and from shards."""

import contextlib
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

COUNT, SHARDS, SIZE = 16_384, 8, 64
BATCH = 64
TURNS = 5


def images_per_second() -> dict[str, float]:
    """Median over the turns, each of which reads all pictures once."""
    from components.shared.contracts import IMAGE
    from components.shared.normalization import load_transform_graph
    from components.train.batches import batches, open_pictures
    from components.train.config import TrainConfig
    from components.transform.config import TransformConfig
    from components.transform.step import transform

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        records, graph = Path(folder, "records"), Path(folder, "graph")
        manifest = write_records(records)
        transform(records, graph, TransformConfig())
        loaded = load_transform_graph(graph)
        for name, cache_gib in (("from memory", 2.0), ("from shards", 0.0)):
            config = TrainConfig(batch_size=BATCH, epochs=1, cache_gib=cache_gib)
            rates = []
            with open_pictures(records, manifest, config) as pictures:
                for _ in range(TURNS + 1):
                    data = batches(pictures, lambda raw: loaded(raw)[IMAGE], config, 0)
                    with contextlib.closing(data):
                        started = time.perf_counter()
                        steps = sum(1 for _ in data)
                    rates.append(steps * BATCH / (time.perf_counter() - started))
            found[name] = statistics.median(rates[1:])  # the first one also warms up
    return found


def write_records(records: Path) -> dict[str, Any]:
    """Write noise as ingest writes pictures; gives the manifest."""
    from components.shared.contracts import MANIFEST
    from components.shared.files import write_json
    from components.shared.records import Record, write_shard

    random = np.random.default_rng(0)
    records.mkdir()
    for shard in range(SHARDS):
        images = random.integers(0, 256, (COUNT // SHARDS, SIZE, SIZE, 3), np.uint8)
        write_shard(
            records / f"train-{shard:05}-of-{SHARDS:05}.tfrecord",
            (Record("0" * 64, image.tobytes()) for index, image in enumerate(images)),
        )
    manifest = {"image_size": SIZE, "counts": {"train": COUNT}, "digest": "noise"}
    write_json(records / MANIFEST, manifest)
    return manifest
