"""Any network that someone saved as a TensorFlow SavedModel."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from components.evaluate.extractors.source import check_sha256, digest_of_saved_model
from components.metrics.extractor import Extractor
from components.shared.errors import UsageError, one_line

_SIGNATURE = "serving_default"


def load(source: str, sha256: str) -> Extractor:
    """Give the network behind a SavedModel's `serving_default`.

    It takes pictures, uint8 or float32 [N, H, W, 3] of 0…255, by its only argument, and gives
    features, [N, d], as its only output. Pictures are resized where H and W are fixed.

    Args:
        source: Folder of the SavedModel.
        sha256: What the digest of its files must be; may be empty.

    Raises:
        UsageError: There is none, it is another one, or takes or gives something else.
    """
    found = digest_of_saved_model(source)
    check_sha256(source, found, sha256 or found)
    try:
        model = tf.saved_model.load(source)
    except Exception as error:  # TensorFlow has many for a file that it cannot read
        raise UsageError(
            f"evaluate.extractor_source: cannot load the SavedModel in {source} "
            f"({one_line(error)}): save it anew with this TensorFlow, {tf.__version__}"
        ) from error
    _check(source, model.signatures)
    signature = model.signatures[_SIGNATURE]
    [(argument, spec)] = signature.structured_input_signature[1].items()
    [(output, given)] = signature.structured_outputs.items()
    height, width = spec.shape[1:3]
    description = {
        "name": "saved_model",
        "sha256": found,
        "resize": f"bilinear to {width}×{height}, antialiased" if height else "none",
        "dtype": given.dtype.name,
    }

    def network(images: np.ndarray) -> tf.Tensor:
        return signature(**{argument: _resized(images, spec)})[output]

    return Extractor(description, network)


def _check(source: str, signatures: Mapping[str, Any]) -> None:
    """Refuse all but one argument of pictures and one output of features."""
    signature = signatures.get(_SIGNATURE)
    takes = list(signature.structured_input_signature[1].values()) if signature else []
    gives = list(signature.structured_outputs.values()) if signature else []
    if not (len(takes) == len(gives) == 1 and _takes_pictures(*takes) and _gives_features(*gives)):
        raise UsageError(
            f"evaluate.extractor_source: the SavedModel in {source} has no {_SIGNATURE} of "
            "pictures, uint8 or float32 [N, H, W, 3], to features, floats [N, d]: it takes "
            f"{takes} and gives {gives} (its signatures: {', '.join(signatures) or 'none'}); "
            "save it with this signature"
        )


def _takes_pictures(spec: tf.TensorSpec) -> bool:
    if spec.dtype not in {tf.uint8, tf.float32} or spec.shape.rank != 4:
        return False
    count, height, width, channels = spec.shape
    return count is None and channels == 3 and (height is None) == (width is None)


def _gives_features(spec: tf.TensorSpec) -> bool:
    return spec.shape.rank == 2 and spec.dtype.is_floating


def _resized(images: np.ndarray, spec: tf.TensorSpec) -> tf.Tensor:
    size = list(spec.shape[1:3])
    pictures = tf.constant(images)
    if size not in ([None, None], list(images.shape[1:3])):
        pictures = tf.image.resize(pictures, size, "bilinear", antialias=True)
        pictures = tf.round(pictures) if spec.dtype == tf.uint8 else pictures
    return tf.cast(pictures, spec.dtype)
