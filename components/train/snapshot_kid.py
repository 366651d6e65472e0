"""A program that works out the KID of snapshots while the training goes on, out of its way.

    python -m components.train.snapshot_kid RECORDS SAMPLES

Each line that it reads is a JSON list: the path of a snapshot, and that of the one that it is to
be better than, or null. Each line that it writes is what `SnapshotKid.of` gives. It ends where
nobody writes to it any more.

One thread of the lowest priority: a training that computes on the same cores hardly waits for it.
"""

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from components.metrics import efficientnet_lite0
from components.metrics.compared import Compared, hold_against
from components.metrics.drawing import ask_at_random, describe
from components.metrics.feature_set import FeatureSet
from components.metrics.kid import kid, kid_difference
from components.shared.classes import Classes
from components.shared.contracts import MANIFEST, TRAIN_SPLIT
from components.shared.files import read_json
from components.shared.records import decode_images, load_images

_SEED = 0  # of the latents, the same for every snapshot
_NEIGHBOURS = 1  # whose distances KID does not use


class SnapshotKid:
    """The KID of snapshots, by so many samples, against as many pictures of the training."""

    def __init__(self, records: Path, samples: int) -> None:
        """Describe the pictures in `records`, the folder written by ingest."""
        self._samples = samples
        images = load_images(records, TRAIN_SPLIT, samples)
        manifest = read_json(records / MANIFEST)
        self._classes = Classes.of(manifest)
        pictures = decode_images(images, manifest["image_size"])
        self._extractor = efficientnet_lite0.load()
        self._real = FeatureSet(self._extractor(pictures), _NEIGHBOURS)
        self._compared: dict[str, Compared | None] = {}  # of the last two snapshots

    def of(self, snapshot: str, best: str | None) -> dict[str, Any]:
        """Score a snapshot.

        Args:
            snapshot: Path of the generator.
            best: Path of the one that it is to be better than; None gives a `gain` to any.

        Returns:
            `kid` and `kid_interval`, None where a pixel is not finite; `gain`: whether the KID
            is lower by more than the 95 % interval of the difference.
        """
        self._compared = {
            path: self._compared[path] if path in self._compared else self._compare(path)
            for path in (snapshot, best)
            if path is not None
        }
        ours = self._compared[snapshot]
        if ours is None:
            return {"kid": None, "kid_interval": None, "gain": best is None}
        gain = True
        if best is not None and (theirs := self._compared[best]) is not None:
            difference = kid_difference(ours, theirs)
            gain = difference.value < -difference.interval
        value, interval = kid(ours)
        return {"kid": value, "kid_interval": interval, "gain": gain}

    def _compare(self, path: str) -> Compared | None:
        generator = keras.models.load_model(path, compile=False)
        asked = ask_at_random(_SEED, self._samples, generator, self._classes)
        features = describe(generator, asked, self._extractor)
        if features is None:
            return None
        return hold_against(self._real, FeatureSet(features, _NEIGHBOURS))


def main() -> None:
    """Answer until the input ends."""
    os.nice(19)
    with contextlib.suppress(AttributeError, OSError):  # Linux alone has what is less still
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    scored = SnapshotKid(Path(sys.argv[1]), int(sys.argv[2]))
    for line in sys.stdin:
        print(json.dumps(scored.of(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
