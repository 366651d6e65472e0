"""What every extractor is."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from components.shared.errors import UsageError

_BATCH = 32


class Extractor(NamedTuple):
    """A network that describes a picture, and what its scores are reported under."""

    description: dict[str, str]  # name, sha256, resize, dtype
    network: Callable[[np.ndarray], Any]  # uint8 [B, H, W, 3] → [B, d], an array or a tensor

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Describe pictures by d numbers each, in batches.

        Args:
            images: uint8 [N, H, W, 3].

        Returns:
            float32 [N, d], the same for the same pictures.

        Raises:
            UsageError: They are not all finite numbers.
        """
        starts = range(0, len(images), _BATCH)
        batches = [np.asarray(self.network(images[i : i + _BATCH])) for i in starts]
        features = np.concatenate(batches).astype(np.float32, copy=False)
        if not np.isfinite(features).all():
            raise UsageError(
                f"evaluate.extractor: {self.description['name']} (SHA-256 "
                f"{self.description['sha256']}) gives features that are not finite numbers: "
                "choose another network or other weights"
            )
        return features
