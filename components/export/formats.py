"""The generator for runtimes other than TensorFlow and Keras."""

import warnings
from pathlib import Path

import keras

from components.export.config import Format
from components.shared.generators import class_count, latent_size

_KERAS_NAMES = {"onnx": "onnx", "tflite": "litert"}


def write_format(target: Path, kind: Format, generator: keras.Model) -> None:
    """Write the generator for ONNX Runtime and its like, or for LiteRT, once TensorFlow Lite.

    The file is the network of `generator.keras`: it maps `latents`, float32
    [n, latent_size], and with classes `labels`, int32 [n], to `images`, float32 [n, H, W, 3] in
    [-1, 1], for any n. (The SavedModel gives uint8.)

    Args:
        target: File to write, with `kind` as its suffix.
        kind: What to write; "onnx" needs tf2onnx.
        generator: Functional model in float32.
    """
    named = keras.Model(generator.inputs, {"images": generator.outputs[0]})
    asked = keras.InputSpec("float32", [None, latent_size(generator)], name="latents")
    if class_count(generator):
        asked = [asked, keras.InputSpec("int32", [None], name="labels")]
    with warnings.catch_warnings():
        # Keras 3.15 asks NumPy for names that tf2onnx misses, and NumPy warns of that.
        warnings.filterwarnings("ignore", "In the future `np", FutureWarning)
        named.export(target, format=_KERAS_NAMES[kind], input_signature=[asked], verbose=False)
