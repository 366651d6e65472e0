"""The canary: is the SavedModel what its user will get from it?

As TFX's InfraValidator (https://www.tensorflow.org/tfx/guide/infra_validator), it loads the model
as a server does, and queries it, before anything is published. Beyond that, it holds what is
drawn against the evaluated generator: the scores are of pictures that Keras drew, by another way
through TensorFlow than the one that serves.

It is the end of export, not the beginning of publish: so no task is ever given a model that
fails. Export's image has TensorFlow anyway, which publish, that copies files, does not import.
And an export from the cache was tried when it was made.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.export.class_signatures import ByClass
from components.export.saved_model import BATCH, draw_latents
from components.shared.classes import Classes
from components.shared.contracts import (
    CLASS_NAME,
    GENERATE_CLASS,
    GENERATE_CLASS_PNG,
    GENERATE_PNG,
    IMAGES,
    PNG_BYTES,
)
from components.shared.errors import PipelineError, one_line
from components.shared.generators import images_of, latent_size
from components.shared.normalization import to_pixels

LOG = logging.getLogger("dcgan.export")

_PROGRAM = Path(__file__).with_name("ask_saved_model.py")
_SEED = 7
_TRUNCATION = 0.7  # 1 would hide a signature that passes over it
# Levels of 255. Both processes compute in float32 on the same CPU, and the base and networks of
# full width drew the same to the bit. But what sums in another order, as for another batch size,
# differs by 1 in up to 5 of 100,000 values, where rounding to a level is a toss-up. Weights that
# are off by a thousandth already differ by up to 7 levels (the base's).
_LARGEST_DIFFERENCE = 1
_LONGEST_CAUSE = 300  # characters of what TensorFlow says
_ANEW = (
    "begin the run again, which exports anew; should that fail, too, suspect the disk or "
    f"TensorFlow {tf.__version__}"
)

_Requests = dict[str, dict[str, np.ndarray]]  # signature → input → value
_Answers = dict[str, np.ndarray]  # by "signature/output"


def try_saved_model(
    saved_model: Path, generator: keras.Model, seconds: float, classes: Classes | None = None
) -> None:
    """Load a SavedModel in a new process that imports TensorFlow alone, and compare what it draws.

    Each signature that draws is asked for one batch. `serving_default` is to draw what the
    generator draws of the same latents and labels, the others what it draws of `draw_latents`,
    of the class asked for, or by the shares.

    Args:
        saved_model: Folder that `write_saved_model` made.
        generator: What was evaluated: float32 latents [B, latent_size], labels → [-1, 1],
            [B, H, W, 3].
        seconds: Longest that a signature may take for its batch.
        classes: Those that the generator draws; None for one that takes no labels.

    Raises:
        PipelineError: The model cannot be loaded, lacks a signature, fails, takes too long, or
            draws other pictures.
    """
    requests = _requests(generator, classes)
    with tempfile.TemporaryDirectory(dir=saved_model.parent, prefix=".canary-") as folder:
        answers, taken = _ask(saved_model, requests, Path(folder), seconds)
    with tf.device("CPU"):  # as the other process has it
        expected = _expected(generator, classes, requests)
    largest = max(_difference(output, answers, expected[output]) for output in expected)
    times = ", ".join(f"{signature} {taken[signature]:.1f} s" for signature in requests)
    LOG.info("canary: pictures as evaluated, within %d of 255 levels; %s", largest, times)


def _requests(generator: keras.Model, classes: Classes | None) -> _Requests:
    latents = np.random.default_rng(_SEED).standard_normal(
        [BATCH, latent_size(generator)], np.float32
    )
    drawing = {
        "count": np.array(BATCH, np.int32),
        "seed": np.array(_SEED, np.int32),
        "truncation": np.array(_TRUNCATION, np.float32),
    }
    given = {"latents": latents}
    requests: _Requests = {"serving_default": given, "generate": drawing, GENERATE_PNG: drawing}
    if classes:
        given["labels"] = classes.draw_labels(_SEED, BATCH)
        last = len(classes.names) - 1
        requests[GENERATE_CLASS] = {**drawing, CLASS_NAME: np.array(classes.names[last])}
        requests[GENERATE_CLASS_PNG] = {**drawing, CLASS_NAME: np.array(str(last))}
    return requests


def _expected(generator: keras.Model, classes: Classes | None, requests: _Requests) -> _Answers:
    by_class = ByClass(classes) if classes else None
    drawn = draw_latents(_SEED, 0, _TRUNCATION, latent_size(generator))
    expected = {}
    for signature, inputs in requests.items():
        latents, labels = inputs.get("latents", drawn), inputs.get("labels")
        if by_class and labels is None:
            number = by_class.number(str(inputs.get(CLASS_NAME, "")))
            labels = by_class.labels(number, _SEED, 0, BATCH)
        output = PNG_BYTES if signature in {GENERATE_PNG, GENERATE_CLASS_PNG} else IMAGES
        pictures = to_pixels(images_of(generator, latents, labels))
        expected[f"{signature}/{output}"] = pictures.numpy()
    return expected


def _ask(
    saved_model: Path, requests: _Requests, folder: Path, seconds: float
) -> tuple[_Answers, dict[str, float]]:
    """Give the answers, and the seconds that each signature took."""
    asked, answered = folder / "asked.npz", folder / "answered.npz"
    values = {
        f"{signature}/{name}": value
        for signature, inputs in requests.items()
        for name, value in inputs.items()
    }
    np.savez(asked, **values)  # type: ignore[arg-type]
    done = subprocess.run(
        # Its own folder is no place to import from. Paths were written as this process writes them.
        [
            *(sys.executable, "-P", "-X", f"utf8={sys.flags.utf8_mode}"),
            *(_PROGRAM, saved_model, asked, answered, str(seconds)),
        ],
        # A GPU's memory is this process's already, and its float32 products may be TF32.
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        check=False,
    )
    said: dict[str, Any] = {"doing": "starting Python"}
    for line in done.stdout.splitlines():
        said |= json.loads(line)
    if done.returncode:
        raise _failure(done.returncode, said, done.stderr.decode(errors="replace"))
    with np.load(answered) as file:
        return dict(file), said["seconds"]


def _failure(code: int, said: Mapping[str, Any], stderr: str) -> PipelineError:
    doing = said["doing"]
    if "error" in said:
        return _refused(f"{doing}: {said['error'][:_LONGEST_CAUSE]}", _ANEW)
    if code == -signal.SIGALRM:
        to_do = "give export more cores"
        if doing.startswith("signature"):
            to_do += ", or raise export.canary_seconds"
        return _refused(f"{doing}: more than {said['limit']:g} s", to_do)
    if code == -signal.SIGKILL:
        return _refused(f"{doing}: killed, as where memory runs out", "give export more memory")
    return _refused(f"{doing}: ended with {code}: {stderr[-_LONGEST_CAUSE:]}", _ANEW)


def _difference(output: str, answers: _Answers, expected: np.ndarray) -> int:
    """The largest difference of any value, in levels; PipelineError where it is too large."""
    answer = answers.get(output)
    if answer is None or (answer.dtype, answer.shape) != (expected.dtype, expected.shape):
        given = "missing" if answer is None else f"{answer.dtype} {list(answer.shape)}"
        raise _refused(f"{output} is {given}, not {expected.dtype} {list(expected.shape)}", _ANEW)
    difference = int(np.abs(answer.astype(int) - expected).max())
    if difference > _LARGEST_DIFFERENCE:
        raise _refused(
            f"{output} differs from the evaluated generator's by up to {difference} of 255 levels "
            f"(allowed: {_LARGEST_DIFFERENCE})",
            _ANEW,
        )
    return difference


def _refused(what: str, to_do: str) -> PipelineError:
    return PipelineError(
        "the exported SavedModel failed in a new process that imports TensorFlow alone, and is not "
        f"published: {one_line(what)}; {to_do}"
    )
