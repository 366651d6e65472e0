"""The default extractor, by its old name."""

import numpy as np

from components.evaluate.config import EvaluateConfig
from components.evaluate.extractors.efficientnet_lite0 import DESCRIPTION, SHA256, load_weights
from components.evaluate.extractors.registry import load_extractor

__all__ = ["DESCRIPTION", "SHA256", "extract_features", "load_weights"]


def extract_features(images: np.ndarray) -> np.ndarray:
    """Describe pictures, uint8 [N, H, W, 3], by float32 [N, 1280]."""
    return load_extractor(EvaluateConfig())(images)
