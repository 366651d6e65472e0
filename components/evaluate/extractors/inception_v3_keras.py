"""The Inception-v3 of Keras (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567).

Up to its global average pool, with weights learned from ImageNet. They are not those of the
published FIDs, nor is the resizing, so that scores made with it are comparable among themselves.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import keras
import numpy as np
import tensorflow as tf

from components.evaluate.extractors.source import check_sha256, read_source
from components.metrics.extractor import Extractor
from components.shared.errors import PipelineError, UsageError, one_line
from components.shared.files import digest_of_file

_SIDE = 299
_KERAS_WEIGHTS = (
    "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/"
    "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
)
_KERAS_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"


def load(source: str, sha256: str) -> Extractor:
    """Give the network, with 2048 features.

    Args:
        source: Path or http(s) address of its weights without the classifier, as Keras
            saves them; empty for those that Keras offers, which it downloads once.
        sha256: What their SHA-256 must be; may be empty.

    Raises:
        UsageError: The file is missing, is another one, or holds other weights.
        PipelineError: The address, or that of Keras, does not answer.
    """
    if source:
        content = read_source(source, sha256)
        found = hashlib.sha256(content).hexdigest()
        name = Path(urlsplit(source).path if "://" in source else source).name
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name or "weights")  # Keras goes by the suffix
            path.write_bytes(content)
            model = _model(source, path)
    else:
        path = _downloaded()
        found = digest_of_file(path)
        check_sha256(str(path), found, sha256 or found)
        model = _model(str(path), path)
    description = {
        "name": "inception_v3_keras",
        "sha256": found,
        "resize": "bilinear to 299×299, antialiased",
        "dtype": "float32",
    }
    return Extractor(description, _network(model))


def _downloaded() -> Path:
    try:
        return Path(
            keras.utils.get_file(origin=_KERAS_WEIGHTS, cache_subdir="models", file_hash=_KERAS_MD5)
        )
    except Exception as error:  # Keras raises this very class where nothing answers
        raise PipelineError(
            f"evaluate.extractor: cannot fetch the weights of inception_v3_keras "
            f"({one_line(error)}): download {_KERAS_WEIGHTS} and name its path in "
            "evaluate.extractor_source"
        ) from None


def _model(source: str, path: Path) -> keras.Model:
    try:
        return keras.applications.InceptionV3(include_top=False, weights=path, pooling="avg")
    except Exception as error:  # Keras has many for a file that it cannot read
        raise UsageError(
            f"evaluate.extractor_source: {source} holds no weights of Keras's InceptionV3 without "
            f"its classifier ({one_line(error)}): name a .h5 or .keras file that does, or none"
        ) from error


def _network(model: keras.Model) -> Callable[[np.ndarray], tf.Tensor]:
    pictures = tf.TensorSpec([None, None, None, 3], tf.uint8)

    @tf.function(input_signature=[pictures], autograph=False)
    def network(images: tf.Tensor) -> tf.Tensor:
        pixels = tf.image.resize(images, [_SIDE, _SIDE], "bilinear", antialias=True)
        return model(pixels / 127.5 - 1, training=False)

    return network
