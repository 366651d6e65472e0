"""Begin a training with what other networks have learned: the base, or published ones."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from components.shared.buckets import is_remote
from components.shared.classes import Classes
from components.shared.contracts import BASE, DISCRIMINATOR, GENERATOR
from components.shared.errors import PipelineError, UsageError, one_line
from components.shared.generators import latent_size
from components.shared.published import champion_in, info_of, local_copy, refuse_no_model
from components.train.checkpoints import Arrays, values_of
from components.train.class_layers import CLASS
from components.train.networks import SINGULAR_VECTOR, generator_weights
from components.train.trainer import Trainer

LOG = logging.getLogger("dcgan.train")
_BASE_FOLDER = Path(__file__).with_name("base")


def start_from(
    source: str,
    trainer: Trainer,
    classes: Classes | None = None,
    base: Path = _BASE_FOLDER,
) -> dict[str, Any] | None:
    """Give a trainer those layers of other networks that fit it; the rest begins fresh.

    A layer fits that has the same name, and weights of the same shapes; one with weights of each
    class only where the other model has the same classes.

    Args:
        source: "base", or folder or address of a published model, whose newest version is
            meant, or of one version.
        trainer: A fresh one.
        classes: Those that it draws; None where it takes no labels.
        base: Folder of the model that comes with this package.

    Returns:
        The origin, as JSON: `source` ("base", or folder or address of the version), `digest`
        of its generator's weights, `attribution` (sentences that say whose it is), and of
        `generator` and `discriminator` how many layers were `taken` and which are `fresh`.
        None where nothing is published yet, as before the first of a series of runs.

    Raises:
        UsageError: It cannot be read, or no layer of its generator fits.
        PipelineError: This installation lacks the base.
    """
    source = source.rstrip("/")
    home = str(base) if source == BASE else source
    champion = champion_in(home)
    address = champion.address if champion else home
    there = _read(
        f"{address}/{GENERATOR}", lambda path: keras.models.load_model(path, compile=False)
    )
    if there is None:
        _say_why_not(source, home)
        return None
    info = info_of(address)
    theirs = values_of(generator_weights(there))
    opponent = _read(f"{address}/{DISCRIMINATOR}", _arrays_in) or {}
    if classes is None or info.get("classes") != [*classes.names]:
        theirs, opponent = _without_classes(theirs), _without_classes(opponent)
    generator = _fitting(generator_weights(trainer.generator), theirs)
    if not generator.taken:
        raise UsageError(
            f"train.warm_start: no layer of {address}/{GENERATOR} fits: it draws {_what(there)}, "
            f"and this training's generator {_what(trainer.generator)}: give train.base_width, "
            "kernel_size, latent_size and palette the values of that model, or none to warm_start"
        )
    LOG.info("starting from %s%s", address, "" if opponent else f", which has no {DISCRIMINATOR}")
    discriminator = _fitting(trainer.discriminator.named_weights(), opponent)
    LOG.info("generator: %s", generator)
    LOG.info("discriminator: %s", discriminator)
    trainer.start_from(generator.arrays, discriminator.arrays)
    return {
        "source": BASE if source == BASE else _resolved(address),
        "digest": info.get("digest"),
        "attribution": _attribution(info),
        "generator": {"taken": len(generator.taken), "fresh": generator.fresh},
        "discriminator": {"taken": len(discriminator.taken), "fresh": discriminator.fresh},
    }


def _without_classes(arrays: Arrays) -> Arrays:
    """Those of layers that say nothing of a class."""
    return {name: array for name, array in arrays.items() if not name.startswith(CLASS)}


class _Fitting(NamedTuple):
    arrays: Arrays
    taken: list[str]  # layers
    fresh: list[str]

    def __str__(self) -> str:
        taken, fresh = (", ".join(layers) or "nothing" for layers in (self.taken, self.fresh))
        return f"taken: {taken}; fresh: {fresh}"


def _fitting(weights: dict[str, tf.Variable], arrays: Arrays) -> _Fitting:
    """Find the arrays, by "layer/weight", of layers that fit."""
    mine, theirs = _by_layer(weights), _by_layer(arrays)
    taken = []
    for layer, shapes in mine.items():
        # One that was not kept can be found anew from the kernel.
        vector = {kind: shape for kind, shape in shapes.items() if kind == SINGULAR_VECTOR}
        if vector | theirs.get(layer, {}) == shapes:
            taken.append(layer)
    return _Fitting(
        {name: array for name, array in arrays.items() if name.partition("/")[0] in taken},
        taken,
        [layer for layer in mine if layer not in taken],
    )


def _by_layer(weights: dict[str, Any]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Shapes by layer and weight."""
    layers: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, weight in weights.items():
        layer, _, kind = name.partition("/")
        layers.setdefault(layer, {})[kind] = tuple(weight.shape)
    return layers


def _read(file: str, load: Callable[[Path], Any]) -> Any:
    """Load a file of a model; None where there is none."""
    with local_copy(file) as copy:
        if not copy.exists():
            return None
        try:
            return load(copy)
        except Exception as error:  # Keras and NumPy have many for a file that they cannot read
            raise UsageError(
                f"train.warm_start: cannot read {file} ({one_line(error)}): name another model, "
                "or none"
            ) from error


def _arrays_in(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return {name: np.asarray(file[name], np.float32) for name in file}


def _say_why_not(source: str, home: str) -> None:
    """Say why there is no generator; raise where there should be one."""
    if source == BASE:
        raise PipelineError(f"this installation has no {GENERATOR} in {home}: install it anew")
    refuse_no_model(source, home)
    LOG.info("nothing is published in %s yet: starting from random weights", home)


def _resolved(address: str) -> str:
    """Without links, which may point elsewhere tomorrow."""
    return address if is_remote(address) else str(Path(address).resolve())


def _attribution(info: dict[str, Any]) -> list[str]:
    """Whose a model is, and whose those are that it descends from; each sentence once."""
    own = [info[key] for key in ("attribution", "licence") if info.get(key)]
    before: Iterable[str] = (info.get("descends_from") or {}).get("attribution", ())
    return list(dict.fromkeys([*own, *before]))


def _what(generator: keras.Model) -> str:
    height, width = generator.output_shape[1:3]
    return (
        f"{width}×{height} pictures from {latent_size(generator)} numbers by "
        f"{generator.count_params():,} weights"
    )
