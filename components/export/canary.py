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

from components.export.class_signatures import GENERATE_CLASS, IMAGES, ByClass
from components.export.saved_model import BATCH, draw_latents
from components.shared.classes import Classes
from components.shared.contracts import GENERATE_CLASS_PNG, GENERATE_PNG, PNG_BYTES
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

    Each signature is asked for one batch. `serving_default` is to draw what the generator draws
    of the same latents, the others what it draws of `draw_latents`, by the shares of the classes
    or of the class asked for.

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
    latents = np.random.default_rng(_SEED).standard_normal(
        [BATCH, latent_size(generator)], np.float32
    )
    labels = classes.draw_labels(_SEED, BATCH) if classes else None
    requests = _requests(latents)
    if classes:
        requests |= _requests_by_class(requests, labels, classes)
    with tempfile.TemporaryDirectory(dir=saved_model.parent, prefix=".canary-") as folder:
        answers, taken = _ask(saved_model, requests, Path(folder), seconds)
    expected = _expected(generator, latents, labels, requests, classes)
    largest = max(_difference(output, answers, expected[output]) for output in expected)
    times = ", ".join(f"{signature} {taken[signature]:.1f} s" for signature in requests)
    LOG.info("canary: pictures as evaluated, within %d of 255 levels; %s", largest, times)


def _requests(latents: np.ndarray) -> _Requests:
    drawing = {
        "count": np.array(BATCH, np.int32),
        "seed": np.array(_SEED, np.int32),
        "truncation": np.array(_TRUNCATION, np.float32),
    }
    return {"serving_default": {"latents": latents}, "generate": drawing, GENERATE_PNG: drawing}


def _requests_by_class(requests: _Requests, labels: np.ndarray, classes: Classes) -> _Requests:
    """Those of a generator with classes; one of them by its name, one by its number."""
    drawing = requests[GENERATE_PNG]
    return {
        "serving_default": {**requests["serving_default"], "labels": labels},
        GENERATE_CLASS: {**drawing, "class_name": np.array(classes.names[-1])},
        GENERATE_CLASS_PNG: {**drawing, "class_name": np.array("0")},
    }


def _expected(
    generator: keras.Model,
    latents: np.ndarray,
    labels: np.ndarray | None,
    requests: _Requests,
    classes: Classes | None,
) -> _Answers:
    with tf.device("CPU"):  # as the other process has it
        drawn = draw_latents(_SEED, 0, _TRUNCATION, latents.shape[-1])
        by_class = ByClass(classes) if classes else None

        def draw(called: str) -> np.ndarray:
            drawn_labels = None
            if by_class:
                drawn_labels = by_class.labels(by_class.number(called), _SEED, 0, BATCH)
            return to_pixels(images_of(generator, drawn, drawn_labels)).numpy()

        of_seed = draw("")
        expected = {
            "serving_default/images": to_pixels(images_of(generator, latents, labels)).numpy(),
            "generate/images": of_seed,
            f"{GENERATE_PNG}/{PNG_BYTES}": of_seed,
        }
        for signature, output in ((GENERATE_CLASS, IMAGES), (GENERATE_CLASS_PNG, PNG_BYTES)):
            if signature in requests:
                expected[f"{signature}/{output}"] = draw(str(requests[signature]["class_name"]))
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
