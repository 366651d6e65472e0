"""Features of held-out pictures, as they are published beside the model they judged."""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

MOST = 1000  # pictures; 5 MB a version, and more would hardly tell more


class RealFeatures(NamedTuple):
    """Features of some pictures; what is the same picture has the same digest."""

    extractor: dict[str, str]
    digests: np.ndarray  # SHA-256 of the pixels, hexadecimal, [N]
    values: np.ndarray  # float32 [N, d]

    @classmethod
    def of(cls, pictures: np.ndarray, values: np.ndarray, extractor: dict[str, str]) -> Self:
        """Keep the first of these: uint8 [N, H, W, 3] and float32 [N, d]."""
        digests = [hashlib.sha256(picture.tobytes()).hexdigest() for picture in pictures[:MOST]]
        return cls(extractor, np.array(digests), values[:MOST])

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It holds anything else.
        """
        try:
            with path.open("rb") as file, np.load(file) as archive:
                extractor = json.loads(str(archive["extractor"]))
                found = cls(extractor, archive["digests"], archive["values"])
        except FileNotFoundError:
            raise
        except Exception as error:  # zipfile and NumPy have many for a file that is damaged
            raise ValueError(f"{path} is damaged") from error
        digests, values = found.digests, found.values
        named = digests.ndim == 1 and digests.dtype.kind == "U"
        numbers = values.ndim == 2 and values.dtype == np.float32 and np.isfinite(values).all()
        if not (named and numbers and len(digests) == len(values)):
            raise ValueError(f"{path} holds no features of pictures")
        return found

    def save(self, path: Path) -> None:
        """Write an uncompressed .npz; features hardly compress."""
        extractor = np.array(json.dumps(self.extractor))
        np.savez(path, extractor=extractor, digests=self.digests, values=self.values)
