"""What every extractor is."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from components.shared.errors import UsageError

# Two threads with batches of 8 describe 1.18 times as many pictures on two cores as one whose
# operations share batches of 32 (1.13 to 1.23, eight turns), with the same features to the bit.
# ONNX Runtime, LiteRT and OpenVINO were no faster than that.
_BATCH = 8
_MOST_THREADS = 8


class Extractor(NamedTuple):
    """A network that describes a picture, and what its scores are reported under."""

    description: dict[str, str]  # name, sha256, resize, dtype
    network: Callable[[np.ndarray], Any]  # uint8 [B, H, W, 3] → [B, d], an array or a tensor

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Describe pictures by d numbers each, several batches at once.

        Args:
            images: uint8 [N, H, W, 3].

        Returns:
            float32 [N, d], the same for the same pictures.

        Raises:
            UsageError: They are not all finite numbers.
        """
        batches = [images[i : i + _BATCH] for i in range(0, len(images), _BATCH)]
        with ThreadPoolExecutor(_threads()) as pool:
            described = [*pool.map(lambda batch: np.asarray(self.network(batch)), batches)]
        features = np.concatenate(described).astype(np.float32, copy=False)
        if not np.isfinite(features).all():
            raise UsageError(
                f"evaluate.extractor: {self.description['name']} (SHA-256 "
                f"{self.description['sha256']}) gives features that are not finite numbers: "
                "choose another network or other weights"
            )
        return features


def _threads() -> int:
    """As many as TensorFlow may use here, which is one where it was told so."""
    import tensorflow as tf  # seconds, which those who only name an extractor need not wait

    allowed = tf.config.threading.get_intra_op_parallelism_threads()
    return min(allowed or os.cpu_count() or 1, _MOST_THREADS)
