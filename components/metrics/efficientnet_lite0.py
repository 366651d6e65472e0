"""What a picture looks like to a network trained on photographs.

EfficientNet-Lite0 (Tan and Le 2019, https://arxiv.org/abs/1905.11946; the Lite variants
drop squeeze-excite and use ReLU6), trained on ImageNet-1k, up to its global average pool.
The weights come with the package (`weights/NOTICE` names their origin), so that nothing
is downloaded. Scores made with it are not comparable with a published FID or KID: they
are reported under the extractor's name.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from components.metrics.extractor import Extractor
from components.shared.errors import PipelineError
from components.shared.files import digest_of_file

SHA256 = "891ad2a9c15c8405ee37a2aa1ba3953e42a280aa7344e7f7a807846ff412eac6"
DTYPE = "float32"
DESCRIPTION = {
    "name": "efficientnet_lite0",
    "sha256": SHA256,
    "resize": "bicubic to 224×224, clipped to 0…255",
    "dtype": DTYPE,
}

_WEIGHTS = Path(__file__).with_name("weights") / "efficientnet_lite0_features_f16.npz"
_SIDE = 224
_EPSILON = 1e-3  # of the batch norms
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)  # one a block

_Weights = dict[str, np.ndarray]


def load() -> Extractor:
    """Give the network, with 1280 features.

    Raises:
        PipelineError: The file of weights is not the one we know.
    """
    return Extractor(DESCRIPTION, _network(load_weights()))


def load_weights(path: Path = _WEIGHTS) -> _Weights:
    """Read the weights, and refuse any others than the ones we know."""
    found = digest_of_file(path)
    if found != SHA256:
        raise PipelineError(
            f"{path} has SHA-256 {found} instead of {SHA256}: scores made with it would not be "
            "comparable; install this package again"
        )
    with np.load(path) as archive:
        return {name: archive[name].astype(np.float64) for name in archive.files}


def _network(weights: _Weights) -> Callable[[np.ndarray], tf.Tensor]:
    pictures = tf.TensorSpec([None, None, None, 3], tf.uint8)

    @tf.function(input_signature=[pictures], autograph=False)
    def network(images: tf.Tensor) -> tf.Tensor:
        pixels = tf.image.resize(images, [_SIDE, _SIDE], "bicubic", antialias=True)
        pixels = tf.clip_by_value(pixels, 0, 255)  # bicubic overshoots at edges
        features = (pixels - 127) / 128
        features = tf.nn.relu6(_convolve(weights, features, "_conv_stem", "_bn0", stride=2))
        for index, stride in enumerate(_STRIDES):
            features = _block(weights, features, f"_blocks.{index}.", stride)
        features = tf.nn.relu6(_convolve(weights, features, "_conv_head", "_bn1"))
        return tf.reduce_mean(features, axis=[1, 2])

    return network


def _block(weights: _Weights, features: tf.Tensor, name: str, stride: int) -> tf.Tensor:
    """Inverted residual: widen, convolve each channel by itself, narrow."""
    hidden = features
    if f"{name}_expand_conv.weight" in weights:
        hidden = tf.nn.relu6(_convolve(weights, hidden, f"{name}_expand_conv", f"{name}_bn0"))
    hidden = tf.nn.relu6(
        _convolve(weights, hidden, f"{name}_depthwise_conv", f"{name}_bn1", stride)
    )
    hidden = _convolve(weights, hidden, f"{name}_project_conv", f"{name}_bn2")
    same_shape = stride == 1 and hidden.shape[-1] == features.shape[-1]
    return features + hidden if same_shape else hidden


def _convolve(
    weights: _Weights, features: tf.Tensor, convolution: str, norm: str, stride: int = 1
) -> tf.Tensor:
    """Convolution with its batch norm folded in, which is a quarter faster on a CPU.

    Padding is TensorFlow's 'SAME', uneven where the stride is 2, as in training.
    """
    depthwise = convolution.endswith("_depthwise_conv")
    scale = weights[f"{norm}.weight"] / np.sqrt(weights[f"{norm}.running_var"] + _EPSILON)
    kernel = weights[f"{convolution}.weight"] * (scale[:, np.newaxis] if depthwise else scale)
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    convolve = tf.nn.depthwise_conv2d if depthwise else tf.nn.conv2d
    strides = [1, stride, stride, 1]
    convolved = convolve(features, kernel.astype(DTYPE), strides, padding="SAME")
    return tf.nn.bias_add(convolved, bias.astype(DTYPE))
