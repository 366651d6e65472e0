"""The Inception-v3 of the published FIDs and KIDs.

Its file is the frozen graph `classify_image_graph_def.pb` of 2015-12-05, which Heusel et al.
2017 (https://arxiv.org/abs/1706.08500) and most papers since took their features from: the 2048
numbers of its global average pool, for pictures of 0…255 that it resizes by itself. A score is
comparable with a published one only for the same numbers of pictures, too.
"""

import hashlib
import io
import tarfile
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from components.evaluate.extractors.source import read_source
from components.metrics.extractor import Extractor
from components.shared.errors import UsageError, one_line

_GRAPH = "classify_image_graph_def.pb"  # in the archive
_INPUT = "ExpandDims:0"  # what follows the graph's own JPEG decoder
_OUTPUT = "pool_3:0"


def load(source: str, sha256: str) -> Extractor:
    """Give the network of a frozen graph.

    Args:
        source: Path or http(s) address of the graph, or of the .tgz that holds it.
        sha256: Of this file. The description names the graph's own, which is the same
            for both.

    Raises:
        UsageError: The file is missing, is another one, or holds no such graph.
        PipelineError: The address does not answer.
    """
    content = _unpacked(source, read_source(source, sha256))
    description = {
        "name": "inception_v3_fid",
        "sha256": hashlib.sha256(content).hexdigest(),
        "resize": "bilinear to 299×299 without antialiasing, by the graph",
        "dtype": "float32",
    }
    return Extractor(description, _network(source, content))


def _unpacked(source: str, content: bytes) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            member = archive.extractfile(_GRAPH)
            return member.read() if member else b""
    except tarfile.ReadError:
        return content
    except KeyError:
        raise _refusal(source, f"the archive has no {_GRAPH}") from None


def _network(source: str, content: bytes) -> Callable[[np.ndarray], np.ndarray]:
    definition = tf.compat.v1.GraphDef()
    try:
        definition.ParseFromString(content)
        for node in definition.node:
            node.attr.pop("_output_shapes", None)  # they say that a batch is one picture
        graph = tf.Graph()
        with graph.as_default():
            images = tf.compat.v1.placeholder(tf.uint8, [None, None, None, 3])
            pixels = {_INPUT: tf.cast(images, tf.float32)}
            (pooled,) = tf.graph_util.import_graph_def(definition, pixels, [_OUTPUT])
            features = tf.squeeze(pooled, [1, 2])
    except (DecodeError, ValueError) as error:
        raise _refusal(source, one_line(error)) from None
    # No tf.function: the graph has operations that TensorFlow runs only in a graph as old.
    session = tf.compat.v1.Session(graph=graph)
    return lambda batch: session.run(features, {images: batch})


def _refusal(source: str, reason: str) -> UsageError:
    return UsageError(
        f"evaluate.extractor_source: {source} is no frozen graph from {_INPUT} to {_OUTPUT} "
        f"({reason}): name {_GRAPH}, or inception-2015-12-05.tgz, which holds it"
    )
