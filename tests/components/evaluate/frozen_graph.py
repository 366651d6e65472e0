"""A frozen graph with the names and oddities of the FID's, but small."""

import numpy as np
import tensorflow as tf

SIDE = 16
_RANDOM = np.random.default_rng(0)
_KERNEL = _RANDOM.normal(size=[1, 1, 3, 7]).astype(np.float32)
_MEAN, _VARIANCE, _BETA = _RANDOM.uniform(0.1, 1, [3, 7]).astype(np.float32)
_EPSILON = 1e-3


def frozen_graph() -> tf.compat.v1.GraphDef:
    """Give it with the shapes of one picture in its attributes, and an operation long removed."""
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        contents = v1.placeholder(tf.string, [], "DecodeJpeg/contents")
        decoded = tf.cast(tf.io.decode_jpeg(contents, 3, name="DecodeJpeg"), tf.float32, "Cast")
        pixels = tf.expand_dims(decoded, 0, name="ExpandDims")
        pixels = tf.raw_ops.ResizeBilinear(images=pixels, size=[SIDE, SIDE], name="ResizeBilinear")
        pixels = tf.multiply(tf.subtract(pixels, 128.0, "Sub"), 1 / 128, "Mul")
        features = tf.nn.relu(tf.nn.conv2d(pixels, _KERNEL, 1, "SAME", name="conv/Conv2D"), "conv")
        pooled = tf.nn.avg_pool2d(features, SIDE, 1, "VALID", name="pool_3")
        tf.reshape(pooled, [1, 7], name="pool_3/_reshape")
    definition = graph.as_graph_def(add_shapes=True)
    _normalize(definition)
    definition.versions.producer = 8  # TensorFlow of 2015
    definition.versions.min_consumer = 0
    return definition


def features_of(pictures: np.ndarray) -> np.ndarray:
    """What it gives for uint8 [N, SIDE, SIDE, 3], by NumPy."""
    pixels = (pictures.astype(np.float64) - 128) / 128
    convolved = pixels @ _KERNEL[0, 0]
    normalized = (convolved - _MEAN) / np.sqrt(_VARIANCE + _EPSILON) + _BETA
    return np.maximum(normalized, 0).mean(axis=(1, 2))


def _normalize(definition: tf.compat.v1.GraphDef) -> None:
    """Put a batch norm in between, of the kind that is gone since version 9 of graphs."""
    norm = definition.node.add(name="conv/batchnorm", op="BatchNormWithGlobalNormalization")
    norm.input.append("conv/Conv2D")
    values = {"mean": _MEAN, "variance": _VARIANCE, "beta": _BETA, "gamma": np.ones_like(_BETA)}
    for name, value in values.items():
        constant = definition.node.add(name=f"conv/{name}", op="Const")
        constant.attr["dtype"].type = tf.float32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        norm.input.append(constant.name)
    norm.attr["T"].type = tf.float32.as_datatype_enum
    norm.attr["variance_epsilon"].f = _EPSILON
    norm.attr["scale_after_normalization"].b = False
    (relu,) = (node for node in definition.node if node.name == "conv")
    relu.input[0] = norm.name
