"""The canary: is the SavedModel what its user will get from it?

As TFX's InfraValidator (https://www.tensorflow.org/tfx/guide/infra_validator) it loads the model
as a server does, and asks it, before anything is published. Beyond that it holds what is drawn
against the evaluated generator: the scores were made with Keras, by another path through
TensorFlow than the one that serves.

It belongs to export, not to publish: a model that fails is then an artifact that no task is ever
given, it was tried where it was made, in the image that has TensorFlow, and a cached one was
tried when it was made. Publish copies files and needs no TensorFlow.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.export.saved_model import BATCH, draw_latents
from components.shared.contracts import GENERATE_PNG, PNG_BYTES
from components.shared.errors import PipelineError, one_line
from components.shared.normalization import to_pixels

LOG = logging.getLogger("dcgan.export")

_PROGRAM = Path(__file__).with_name("ask_saved_model.py")
_SEED = 7
_TRUNCATION = 0.7  # 1 would hide that a signature passes over it
_LARGEST_DIFFERENCE = 1  # levels of 255

# signature → name of an input → value
_Inputs = dict[str, dict[str, np.ndarray]]


def try_saved_model(saved_model: Path, generator: keras.Model, seconds: float) -> None:
    """Load a SavedModel in a new process of TensorFlow alone, and compare what it draws.

    Each signature is asked for 32 pictures, one batch. Those of `serving_default` are to be the
    generator's of the same latents, the others' those of `draw_latents`. All on the CPU, which
    every machine has; a GPU's memory is this process's already, and its products may be TF32.

    Args:
        saved_model: Folder that `write_saved_model` made.
        generator: What was evaluated: float32 latents [B, latent_size] → [-1, 1], [B, H, W, 3].
        seconds: Longest that a signature may take for its pictures.

    Raises:
        PipelineError: It cannot be loaded, lacks a signature, fails, is too slow, or draws
            other pictures.
    """
    latents = np.random.default_rng(_SEED).standard_normal(
        [BATCH, generator.input_shape[-1]], np.float32
    )
    drawing = {
        "count": np.int32(BATCH),
        "seed": np.int32(_SEED),
        "truncation": np.float32(_TRUNCATION),
    }
    requests = {
        "serving_default": {"latents": latents},
        "generate": drawing,
        GENERATE_PNG: drawing,
    }
    with tf.device("CPU"):
        own_latents = draw_latents(_SEED, 0, _TRUNCATION, generator.input_shape[-1])
        of_latents, of_seed = (
            to_pixels(generator(values, training=False)).numpy() for values in (latents, own_latents)
        )
    expected = {
        "serving_default/images": of_latents,
        "generate/images": of_seed,
        f"{GENERATE_PNG}/{PNG_BYTES}": of_seed,
    }
    with tempfile.TemporaryDirectory(dir=saved_model.parent, prefix=".canary-") as folder:
        answers, taken = _ask(saved_model, requests, Path(folder), seconds)
    largest = max(_difference(key, answers.get(key), value) for key, value in expected.items())
    LOG.info(
        "canary: a new process draws as evaluated; largest difference %d of 255; %s",
        largest, ", ".join(f"{name} {taken[name]:.1f} s" for name in requests),
    )  # fmt: skip


def _ask(
    saved_model: Path, requests: _Inputs, folder: Path, seconds: float
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Give the outputs by "signature/name", and the seconds that each signature took."""
    asked, answered = folder / "asked.npz", folder / "answered.npz"
    np.savez(asked, **{f"{name}/{key}": requests[name][key] for name in requests for key in requests[name]})
    done = subprocess.run(
        [sys.executable, "-I", _PROGRAM, saved_model, asked, answered, str(seconds)],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    said = json.loads(lines[-1]) if lines else {"doing": "starting Python"}
    if done.returncode == 0:
        with np.load(answered) as file:
            return dict(file), said["seconds"]
    if done.returncode == -signal.SIGALRM and said["doing"] in requests:
        raise _refused(
            f"{said['doing']} took more than {seconds:g} s for {BATCH} pictures",
            "raise export.canary_seconds, or give export more cores",
        )
    cause = said.get("error") or f"ended with {done.returncode}: {done.stderr[-500:].decode(errors='replace')}"
    raise _refused(f"{said['doing']}: {cause}", _ANEW)


def _difference(output: str, answer: np.ndarray | None, expected: np.ndarray) -> int:
    """The largest difference of any value, in levels; PipelineError where it is too large."""
    if answer is None or (answer.dtype, answer.shape) != (expected.dtype, expected.shape):
        given = "nothing" if answer is None else f"{answer.dtype} {list(answer.shape)}"
        raise _refused(f"{output} is {given}, not {expected.dtype} {list(expected.shape)}", _ANEW)
    levels = np.abs(answer.astype(int) - expected)
    if (largest := int(levels.max())) > _LARGEST_DIFFERENCE:
        raise _refused(
            f"{output} differs from the evaluated generator's by up to {largest} of 255 levels, "
            f"in {np.mean(levels > _LARGEST_DIFFERENCE):.0%} of the values by more than "
            f"{_LARGEST_DIFFERENCE}",
            _ANEW,
        )
    return largest
