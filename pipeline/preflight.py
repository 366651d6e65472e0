"""What a local run refuses before anything is started."""

import shutil
import tempfile
from pathlib import Path

from components.shared.errors import UsageError
from components.train.config import TrainConfig
from pipeline.config import PipelineConfig

_LEAST_BYTES = 256 * 2**20  # records, logs, sheets and the models of a small training
_FLOAT_BYTES = 4


def check(config: PipelineConfig, runs_dir: Path, publish_root: Path) -> None:
    """Raise UsageError for a path or a disk with which the run could not end well."""
    images = config.images_path
    try:
        exists = images.exists()
    except OSError as error:  # a name that is too long
        raise UsageError(f"--images {images}: {error.strerror}") from None
    if not exists:
        raise UsageError(f"no such folder or file: {images}; pass --images a folder, zip or tar")
    folders = {"--runs-dir": runs_dir, "--publish-root": publish_root}
    for option, path in {"--images": images, **folders}.items():
        if "python3" in str(path):
            raise UsageError(
                f"{option} {path}: kfp's local runner replaces the word python3 in paths; "
                "choose one without it"
            )
    for option, folder in folders.items():
        _make_writable(folder, option)
    needed = max(_LEAST_BYTES, _training_bytes(config.train, config.ingest.image_size))
    free = shutil.disk_usage(runs_dir).free
    if free < needed:
        raise UsageError(
            f"--runs-dir {runs_dir}: {free / 2**20:,.0f} MB free, this run needs about "
            f"{needed / 2**20:,.0f}; make room or choose another folder"
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
    widths = [config.base_width >> level for level in range((image_size // 4).bit_length() - 1)]
    convolutions = config.kernel_size**2 * sum(
        wide * narrow for wide, narrow in zip(widths, [*widths[1:], 3], strict=True)
    )
    generator = convolutions + config.latent_size * 16 * config.base_width
    # A checkpoint holds both networks and two moments of each weight, and the average; two
    # are kept while a third is written. Snapshots lie in the training's folder and the run's.
    checkpoint = 3 * (generator + convolutions) + generator
    models = generator * (2 * config.snapshots_kept + 6)
    return _FLOAT_BYTES * (3 * checkpoint + models)
