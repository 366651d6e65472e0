"""What `dcgan run` and `dcgan sample` do, as functions.

TensorFlow, Beam and kfp take seconds to import: each is imported where it is needed.
"""

import contextlib
import operator
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.shared.buckets import is_remote, names_bucket
from components.shared.contracts import MOST_PICTURES
from components.shared.errors import Interrupted, UsageError
from components.shared.process import LogLine
from pipeline.config import PipelineConfig, load_config
from pipeline.container_images import ContainerImages
from pipeline.foreseen import foreseen_errors
from pipeline.results import RunSummary
from pipeline.terminal import print_line

if TYPE_CHECKING:
    import numpy as np

    from pipeline.generators import Generator

StrPath = str | os.PathLike[str]


@foreseen_errors()
def run(
    images: StrPath | Sequence[StrPath] | None = None,
    *,
    profile: str | None = "demo",
    config: StrPath | None = None,
    settings: Mapping[str, Any] | None = None,
    runs_dir: StrPath = "runs",
    publish_root: StrPath | None = None,
    containers: ContainerImages | None = None,
    progress: Callable[[str, str], object] | None = print_line,
) -> RunSummary:
    """Run the whole pipeline on this machine; what did not change is not run again.

    It works in a notebook, where interrupting the kernel stops it as Ctrl-C does, and outside
    the main thread, where only `progress` can. While it runs, what any thread prints goes to
    its log in `runs_dir`. One process runs one at a time. Under a locale that is not UTF-8, a
    folder whose name is not ASCII needs a Python with ``PYTHONUTF8=1``, which `dcgan` sees to.

    Args:
        images: Pictures: a folder, an archive, a pattern, ``@list``, ``gs://…`` or ``s3://…``,
            or several of these; None for those that profile or configuration name.
        profile: Named settings to start from: `demo`, `seed` or `full`.
        config: YAML file over the profile.
        settings: Single settings over both, e.g. ``{"train.minutes": 1}``.
        runs_dir: Parent of all runs.
        publish_root: Where a blessed model goes: a folder, ``gs://…`` or ``s3://…``; None for
            `published` in `runs_dir`.
        containers: Images to run the steps in; None for processes of this machine.
        progress: Called with the name of a task and a line that it says, both text, in the
            thread that called `run`; None for silence. What it raises ends the run, a
            KeyboardInterrupt as Ctrl-C does. The usual one prints, and raises nothing, whatever
            becomes of the terminal.

    Returns:
        Where the results are, and how good the model is.

    Raises:
        UsageError: A setting, path or bucket with which the run could not end well, a machine
            short of room, or another run goes on in this process.
        DataRefused: The pictures cannot be trained on.
        TrainingStopped: The training is lost.
        Interrupted: Ctrl-C, or the kernel's interrupt; the same call goes on from there.
        PipelineError: The parent of these; by itself, a task that failed in another way. Each
            is one line, and has the `exit_code` that `dcgan run` would end with.
    """
    resolved = resolve(images, profile, config, settings)
    root = Path(_expanded(runs_dir)).absolute()

    def show(line: LogLine) -> None:
        if progress:
            progress(line.task, line.message)

    try:
        from pipeline.local import run_locally

        return run_locally(
            resolved,
            root,
            publish_root_of(publish_root, root),
            show,
            containers,
        )
    except KeyboardInterrupt:
        raise Interrupted("stopped; the same command goes on from there") from None


@foreseen_errors()
def sample(
    model: StrPath | None = None,
    *,
    endpoint: str | None = None,
    count: int = 16,
    seed: int = 0,
    truncation: float = 1.0,
    class_name: str | None = None,
) -> "np.ndarray":
    """Draw pictures from a trained generator, on this machine or where it is served.

    Args:
        model: A run's folder, a published model or one of its versions, in a bucket, too, or a
            ``.keras`` file; None for ``runs/latest``. All of one generator draw the same.
        endpoint: Instead: address of a model that TensorFlow Serving serves,
            ``http://…/v1/models/NAME``.
        count: Pictures to draw, 1 to 10,000.
        seed: The same one draws the same, the first of them whatever the count; 0 to 2³¹ - 1.
        truncation: 0 to 1; less is more typical and less varied.
        class_name: What to draw, of a model with classes: the name of one, or else its number in
            digits; None or empty for classes by their shares of the training. A seed gives each
            class the same latents.

    Returns:
        uint8 [count, S, S, 3], RGB.

    Raises:
        UsageError: No model there, one that cannot be used or has no such class, or an argument
            out of its range.
        PipelineError: The parent of it; by itself, a server that does not answer with pictures.
    """
    from pipeline import sampling

    count, seed, truncation = operator.index(count), operator.index(seed), float(truncation)
    check_numbers(count, seed, truncation)
    with open_generator(model, endpoint) as generator:
        return sampling.draw(generator, count, seed, truncation, [class_name])


def check_numbers(count: int, seed: int, truncation: float) -> None:
    """Raise UsageError for a number that `sample` does not take."""
    _check_range("count", count, 1, MOST_PICTURES)
    _check_range("seed", seed, 0, 2**31 - 1)
    _check_range("truncation", truncation, 0, 1)


@contextlib.contextmanager
def open_generator(model: StrPath | None, endpoint: str | None) -> Iterator["Generator"]:
    """Yield what draws, by the arguments of `sample`, with its UsageErrors."""
    if model is not None and endpoint is not None:
        raise UsageError("--model and --endpoint each name a model: give one of them")
    if endpoint is not None:
        from pipeline.endpoint import Endpoint

        yield Endpoint(endpoint)
        return
    from pipeline.generators import open_model

    place = _expanded(model or "runs/latest")
    if is_remote(place):
        place = _bucket_address("--model", place)
    with open_model(place) as generator:
        yield generator


def resolve(
    images: StrPath | Sequence[StrPath] | None,
    profile: str | None,
    config: StrPath | None,
    settings: Mapping[str, Any] | None,
) -> PipelineConfig:
    """Compose the configuration of a run from the arguments of `run`, with its UsageErrors."""
    if isinstance(images, str | os.PathLike):
        images = [images]
    named = None if images is None else [os.fspath(source) for source in images]
    file = None if config is None else Path(_expanded(config))
    return load_config(profile, file, images=named, settings=settings)


def publish_root_of(given: StrPath | None, runs_dir: Path) -> str:
    """Where models are published: an address in a bucket, or the absolute path of a folder.

    Args:
        given: As a person names it; None for `published` in `runs_dir`.
        runs_dir: Absolute.

    Raises:
        UsageError: An address that is not one in a bucket.
    """
    place = _expanded(given or runs_dir / "published")
    if is_remote(place):
        return _bucket_address("--publish-root", place)
    return str(Path(place).absolute())


def _expanded(place: StrPath) -> str:
    # Path.expanduser would spoil an address, and raise for the ~ of an unknown user.
    return os.path.expanduser(os.fspath(place))  # noqa: PTH111


def _check_range(name: str, value: float, least: int, most: int) -> None:
    if not least <= value <= most:
        raise UsageError(f"--{name} is {value}: give a number from {least} to {most}")


def _bucket_address(option: str, given: str) -> str:
    if not names_bucket(given):
        raise UsageError(
            f"{option} {given}: no address in a bucket: pass gs://bucket/…, s3://bucket/… or a "
            "folder"
        )
    return given.rstrip("/")
