"""What the tests of all extractors share."""

import numpy as np
import pytest

from components.evaluate.config import EvaluateConfig
from components.evaluate.extractors.registry import load_extractor
from components.shared.errors import UsageError

_extract = load_extractor(EvaluateConfig())
_known = {}
WRONG = "0" * 64  # no file's SHA-256


def extract_features(images):
    """By the default extractor, for each set of pictures once: float32 [N, d]."""
    key = images.shape, images.tobytes()
    if key not in _known:
        _known[key] = _extract(images)
    return _known[key].copy()


def load(extractor, source="", sha256=""):
    return load_extractor(
        EvaluateConfig(extractor=extractor, extractor_source=str(source), extractor_sha256=sha256)
    )


def refusal(*named, error=UsageError):
    with pytest.raises(error) as info:
        load(*named)
    assert "\n" not in str(info.value)
    return str(info.value)


def check_company(extractor, pictures):
    together, alone = extractor(pictures), extractor(pictures[-1:])
    assert together.dtype == alone.dtype == np.float32
    among_pictures = np.ptp(together, axis=0).max()
    assert np.abs(together[-1:] - alone).max() < 0.01 * among_pictures
