"""What a local run refuses before anything is started."""

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.evaluate.extractors.source import check_local
from components.ingest.addresses import (
    addresses,
    check_file,
    check_scheme,
    is_manifest,
    is_pattern,
    listed_in,
    of_braces,
    refuse_picture,
    split_pattern,
)
from components.ingest.chosen import ByPattern
from components.ingest.source import is_hidden
from components.shared.buckets import explaining, is_remote, try_to_write
from components.shared.contracts import STEPS
from components.shared.errors import UsageError, one_line
from components.shared.published import home_of, refuse_no_model, refuse_unwritable
from components.train.config import TrainConfig
from pipeline.config import PipelineConfig
from pipeline.enough_pictures import check_max_images, check_sources
from pipeline.typed_text import readable

_LEAST_BYTES = 256 * 2**20  # records, logs, sheets and the models of a small training
_FLOAT_BYTES = 4


def check(config: PipelineConfig, runs_dir: Path, publish_root: str) -> None:
    """Refuse settings, pictures, a path, bucket or disk with which the run could not end well.

    Raises:
        DataRefused: There are too few pictures, as far as names tell, or an archive is damaged.
        UsageError: For the rest.
    """
    folders = {"--runs-dir": runs_dir}
    if not is_remote(publish_root):
        folders["--publish-root"] = Path(publish_root)
    for address in addresses(config.sources):
        _check_source(address)
        _check_word("--images", address)
    for option, place in {"--runs-dir": str(runs_dir), "--publish-root": publish_root}.items():
        _check_encoding(option, place)
        _check_word(option, place)
    for section in STEPS:
        for setting, value in getattr(config, section):
            _check_word(f"{section}.{setting}", str(value))
    scored = config.evaluate
    check_local(scored.extractor, scored.extractor_source, scored.extractor_sha256)
    _refuse_own_results(config.sources, folders)
    check_max_images(config)
    check_sources(config)
    home = home_of(publish_root, config.export.model_name)
    refuse_no_model(config.train.warm_start, home)
    for option, folder in folders.items():
        _make_writable(folder, option)
    if is_remote(publish_root):
        with explaining(f"--publish-root {publish_root}: cannot write there"):
            try_to_write(publish_root)
    else:
        refuse_unwritable(home)
    needed = max(_LEAST_BYTES, _training_bytes(config.train, config.ingest.image_size))
    free = shutil.disk_usage(runs_dir).free
    if free < needed:
        raise UsageError(
            f"--runs-dir {runs_dir}: {free / 2**20:,.0f} MB free, this run needs about "
            f"{needed / 2**20:,.0f}; make room or choose another folder"
        )


def _refuse_own_results(images: str, folders: Mapping[str, Path]) -> None:
    """Refuse folders of results from which the next run would take what this one draws."""
    for address in addresses(images):
        if is_remote(address):
            continue
        listed = listed_in(Path(address[1:])) if is_manifest(address) else None
        for option, folder in folders.items():
            result = folder.absolute() / "1"  # whatever the run or the model is called
            below = {str(root): str(result.relative_to(root)) for root in result.parents}
            if _leads_to(address, listed, below):
                raise UsageError(
                    f"{option} {folder}: lies in --images {address}, so that what a run draws "
                    "would be pictures of the next: choose another folder"
                )


def _leads_to(address: str, listed: Sequence[str] | None, below: Mapping[str, str]) -> bool:
    """Whether a source means a path, which is given as it is `below` each folder above it."""
    if listed is None and is_pattern(address):
        root, pattern = split_pattern(address)
        path = below.get(os.path.normpath(root))
        return path is not None and ByPattern(pattern, address).leads_into(path)
    roots = [os.path.normpath(address)] if listed is None else listed
    return any(root in below and not is_hidden(below[root]) for root in roots)


def _check_source(address: str) -> None:
    """Look whether there is something; what a bucket holds, its step finds out."""
    _check_utf8("--images", address, "list it in a file and pass @FILE, or ")
    if is_remote(address):
        check_scheme(address)
        return
    path = Path(address.removeprefix("@") if is_manifest(address) else address)
    try:
        if is_manifest(address):
            listed_in(path)
        elif not is_pattern(address):  # else it is known when its files are counted
            check_file(address, path)
            refuse_picture(address)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"no such folder or file: {path}{of_braces(address)}; pass --images a folder, an "
            "archive, a pattern, @list or the address of a bucket"
        ) from None
    except (OSError, ValueError) as error:  # e.g. a name that is too long
        problem = getattr(error, "strerror", None) or one_line(error)
        raise UsageError(f"--images {address}: {problem}") from None


def _check_utf8(option: str, value: str, way_out: str = "") -> None:
    shown = readable(value)
    if shown != value:
        raise UsageError(
            f"{option} {shown}: a name that is no UTF-8 cannot be passed on to the steps: "
            f"{way_out}rename it"
        )


def _check_encoding(option: str, value: str) -> None:
    """Refuse what TensorFlow would look for elsewhere; the command has a Python in UTF-8."""
    if not value.isascii() and (encoding := sys.getfilesystemencoding()) != "utf-8":
        raise UsageError(
            f"{option} {readable(value)}: TensorFlow takes its name for UTF-8, and this Python for "
            f"{encoding}: set PYTHONUTF8=1 before Python starts"
        )


def _check_word(option: str, value: str) -> None:
    _check_utf8(option, value)
    if "python3" in value:
        raise UsageError(
            f"{option} {value}: kfp's local runner replaces the word python3 in all it passes "
            "on; choose another name"
        )


def _make_writable(folder: Path, option: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"{option} {folder}: cannot write there ({error.strerror}); choose another folder"
        ) from None


def _training_bytes(config: TrainConfig, image_size: int) -> int:
    """Room for checkpoints, snapshots and models, from the number of weights."""
    generator = _kernels(config, config.base_width, image_size)
    generator += config.latent_size * 16 * config.base_width
    discriminator = _kernels(config, config.discriminator_width or config.base_width, image_size)
    # A checkpoint holds both networks and two moments of each weight, and the average; two
    # are kept while a third is written. Snapshots of both lie in the training's folder and the
    # run's.
    checkpoint = 3 * (generator + discriminator) + generator
    models = (generator + discriminator) * (2 * config.snapshots_kept + 6)
    return _FLOAT_BYTES * (3 * checkpoint + models)


def _kernels(config: TrainConfig, width: int, image_size: int) -> int:
    """Number of weights of a network's convolutions, of so many channels at 4×4."""
    widths = [width >> level for level in range((image_size // 4).bit_length() - 1)]
    pairs = zip(widths, [*widths[1:], 3], strict=True)
    return config.kernel_size**2 * sum(wide * narrow for wide, narrow in pairs)
