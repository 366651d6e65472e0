"""A trained generator on this machine, as `dcgan sample` asks it for pictures."""

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from components.shared.classes import Classes, numbers_of
from components.shared.contracts import (
    CLASS_COUNTS,
    CLASS_NAME,
    CLASSES,
    GENERATE_CLASS_PNG,
    GENERATE_PNG,
    GENERATOR,
    PNG_BYTES,
    SAVED_MODEL,
)
from components.shared.errors import UsageError, one_line, some_of
from components.shared.published import LAST_FILE, info_of, local_copy, local_folder, versions_in

ALL = 2**31 - 1  # classes to tell


class Generator(Protocol):
    """A generator, here or behind an endpoint."""

    place: str  # for people: "the model in …"

    @property
    def classes(self) -> dict[str, float]:
        """Share of each class by its name, in the order of their numbers; empty without classes.

        Raises:
            PipelineError: It does not answer, or not so.
        """
        ...

    def draw(
        self, count: int, seed: int, truncation: float, class_name: str | None = None
    ) -> list[bytes]:
        """Draw pictures.

        Args:
            count: How many, 1 to MOST_PICTURES.
            seed: Of the latents, 0 to 2³¹ - 1; they are the same for each class.
            truncation: What the latents are multiplied by.
            class_name: As `numbers_of` has it; None for what the model draws by itself.

        Returns:
            PNG files.

        Raises:
            PipelineError: It draws no classes, or none so called, or it does not answer.
        """
        ...


def check_class(generator: Generator, class_name: str) -> None:
    """Raise UsageError for a class that a generator does not draw."""
    if not (classes := generator.classes):
        raise UsageError(
            f"--class {one_line(class_name)}: {generator.place} draws no classes: leave it out"
        )
    if class_name not in numbers_of([*classes]):
        raise UsageError(
            f"--class {one_line(class_name)}: {generator.place} draws none so called, but "
            f"{some_of(largest(classes))}"
        )


def request_for(
    generator: Generator, count: int, seed: int, truncation: float, class_name: str | None
) -> tuple[str, dict[str, Any]]:
    """Which signature draws what `Generator.draw` is asked for, and its inputs.

    Raises:
        UsageError: The generator does not draw this class.
    """
    inputs = {"count": count, "seed": seed, "truncation": truncation}
    if class_name is None:
        return GENERATE_PNG, inputs
    check_class(generator, class_name)
    return GENERATE_CLASS_PNG, {**inputs, CLASS_NAME: class_name}


def largest(classes: dict[str, float]) -> list[str]:
    """Names of classes, those with the largest share first."""
    return sorted(classes, key=lambda name: -classes[name])


@contextlib.contextmanager
def open_model(model: str) -> Iterator[Generator]:
    """Yield a model of this machine or of a bucket; of one in a bucket, a copy.

    Args:
        model: A run's folder, a published model's folder or address in a bucket, or that of
            one of its versions, a SavedModel, or a generator's .keras file. All of one
            generator draw the same.

    Raises:
        UsageError: No model there, or one that cannot be used.
    """
    found = _find(model)
    with local_folder(found) as path:
        yield _Local(found, path)


class _Local:
    """A generator of this machine."""

    def __init__(self, found: str, path: Path) -> None:
        self.place = f"the model in {found}"
        self._found = found
        with self._usable():
            # The loaded object must outlive its signatures.
            self._loaded, self._signatures = _load(path)

    @functools.cached_property
    def classes(self) -> dict[str, float]:
        if CLASSES not in self._signatures:
            return {}
        with self._usable():
            told = self._ask(CLASSES, {"count": ALL})
            names = [name.decode() for name in told["names"]]
            return dict(zip(names, told["shares"].tolist(), strict=True))

    def draw(
        self, count: int, seed: int, truncation: float, class_name: str | None = None
    ) -> list[bytes]:
        signature, inputs = request_for(self, count, seed, truncation, class_name)
        if signature not in self._signatures:
            raise UsageError(
                f"the SavedModel in {self._found} has no signature {signature}: it is from before "
                f"that existed; {_instead(self._found)}"
            )
        with self._usable():
            drawn: list[bytes] = self._ask(signature, inputs)[PNG_BYTES].tolist()
        return drawn

    def _ask(self, signature: str, inputs: dict[str, Any]) -> dict[str, Any]:
        import tensorflow as tf

        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        try:
            outputs = self._signatures[signature](**tensors)
        except tf.errors.OpError as error:
            raise ValueError(error.message) from None
        return {name: output.numpy() for name, output in outputs.items()}

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            with _silent_stderr():
                yield
        except (OSError, ValueError, LookupError) as error:
            raise UsageError(f"cannot use the model in {self._found}: {one_line(error)}") from None


def _find(model: str) -> str:
    """The SavedModel's folder or address, or the .keras file."""
    if model.endswith(".keras") and Path(model).is_file():
        return model
    newest = max(versions_in(model), default="")
    for folder in (f"{model}/{SAVED_MODEL}", model, f"{model}/{newest}"):
        with local_copy(f"{folder}/{LAST_FILE}") as path:
            if path.is_file():
                return folder
    raise UsageError(
        f"no model in {model}: `dcgan run` makes one, runs/latest; else pass another run, or a "
        "published model, e.g. runs/published/dcgan"
    )


def _load(model: Path) -> tuple[Any, Any]:
    """Load a model: the object that holds its weights, and its signatures by name."""
    import tensorflow as tf

    try:
        if model.suffix != ".keras":
            loaded = tf.saved_model.load(str(model))
            return loaded, loaded.signatures
        from components.export.saved_model import load_generator, signatures_of

        generator = load_generator(model)
        return generator, signatures_of(generator, _classes_of(model, generator))
    except tf.errors.OpError as error:
        raise ValueError(error.message) from None


def _classes_of(file: Path, generator: Any) -> Classes | None:
    """As model.json beside it tells; else those that it draws are called by their numbers."""
    from components.shared.generators import class_count

    info = info_of(file.parent)
    if not (count := class_count(generator)):
        return None
    names = info.get(CLASSES) or map(str, range(count))
    return Classes(tuple(names), tuple(info.get(CLASS_COUNTS) or [1] * count))


def _instead(saved_model: str) -> str:
    """What to do about a SavedModel that is too old."""
    for folder in (Path(saved_model), Path(saved_model).parent):
        if (folder / GENERATOR).is_file():
            return f"its generator lies beside it: --model {folder / GENERATOR}"
    return "export it again"


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep TensorFlow's C++ start-up notes off the terminal; no log level reaches them.

    Nothing is lost: what goes wrong arrives as an exception.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
