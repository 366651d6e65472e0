"""Checkpoints: one file each, whole or not there, that holds all state of a training."""

import contextlib
import logging
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tensorflow as tf

from components.shared.errors import PipelineError, TrainingStopped
from components.train.training_state import checkpoints_in

LOG = logging.getLogger("dcgan.train")
_KEPT = 2
_PARTIAL = ".partial"
_PIECE = 2**20  # bytes that stay in a cache while they are looked at, summed and written

Arrays = dict[str, Any]  # name → np.ndarray


def value_of(variable: tf.Variable) -> np.ndarray:
    """Value of a variable as it is now, read-only; training on does not change it.

    On a CPU nothing is copied: the array has the variable's memory, and the next step, which
    finds it shared, gives the variable other memory.
    """
    return np.asarray(tf.convert_to_tensor(variable))


def values_of(state: dict[str, tf.Variable]) -> Arrays:
    """`value_of` each variable."""
    return {name: value_of(variable) for name, variable in state.items()}


def save_checkpoint(folder: Path, arrays: Arrays) -> None:
    """Write a checkpoint beside the older ones, of which the last one stays.

    Args:
        folder: Folder of a training's checkpoints.
        arrays: All state by name; "step" is the number of steps done.

    Raises:
        TrainingStopped: A value is not finite; nothing is written.
        OSError: No room; the older checkpoints stay.
    """
    target = folder / f"step-{int(arrays['step']):08d}.npz"
    partial = target.with_name(f".{target.name}{_PARTIAL}")
    try:
        with partial.open("wb") as file:
            _write(file, arrays)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    _sync(folder)
    for old in checkpoints_in(folder)[_KEPT:]:
        old.unlink()


def check_finite(arrays: Arrays, step: int) -> None:
    """Raise TrainingStopped for a value that is not finite: one step goes wrong, then all."""
    for name, array in arrays.items():
        for piece in _pieces(array):
            if not np.isfinite(piece).all():
                raise TrainingStopped(
                    f"{name} is no longer finite after step {step}: lower "
                    "train.generator_learning_rate and train.discriminator_learning_rate"
                )


def restore(folder: Path, state: dict[str, tf.Variable], way_out: str) -> bool:
    """Load the newest checkpoint that reads whole; False where there is none at all.

    Args:
        folder: Folder of a training's checkpoints.
        state: Variables to load into, by the names in the checkpoint.
        way_out: What the person can do if nothing can be read.

    Raises:
        PipelineError: All are damaged, or one does not fit the variables.
    """
    found = checkpoints_in(folder)
    for path in found:
        arrays = _read(path)
        if arrays is not None:
            _check_fit(path, arrays, state)
            for name, variable in state.items():
                variable.assign(arrays[name])
            return True
    if found:
        names = ", ".join(path.name for path in found)
        raise PipelineError(f"all checkpoints in {folder} are damaged ({names}): {way_out}")
    return False


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written."""
    for partial in folder.glob(f".step-*{_PARTIAL}"):
        partial.unlink()


def _write(file: BinaryIO, arrays: Arrays) -> None:
    """Write what `np.savez` would, in one pass over the memory, while the disk is at work."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            start = file.tell()
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                descr = np.lib.format.dtype_to_descr(array.dtype)
                header = {"descr": descr, "fortran_order": False, "shape": array.shape}
                np.lib.format.write_array_header_1_0(member, header)
                for piece in _pieces(array):
                    check_finite({name: piece}, arrays["step"])
                    member.write(piece.data)
            # Left alone, the kernel would begin to write when all is there. Of pages that are
            # not written yet, this advice makes it begin at once, and waits for nothing.
            os.posix_fadvise(file.fileno(), start, file.tell() - start, os.POSIX_FADV_DONTNEED)


def _pieces(array: np.ndarray) -> Iterator[np.ndarray]:
    """Parts of an array, one after the other, each one-dimensional."""
    flat, size = array.reshape(-1), _PIECE // array.itemsize
    return (flat[start : start + size] for start in range(0, flat.size, size))


def _read(path: Path) -> Arrays | None:
    """Read a checkpoint; None, and a line in the log, where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise zipfile.BadZipFile(f"bad CRC-32 of {damaged}")
        with np.load(path, allow_pickle=False) as file:
            return dict(file)
    except Exception as error:  # damage shows as any of a dozen kinds
        LOG.info("checkpoint %s is damaged and passed over (%s)", path, error)
        return None


def _check_fit(path: Path, arrays: Arrays, state: dict[str, tf.Variable]) -> None:
    there = {name: (array.shape, array.dtype.name) for name, array in arrays.items()}
    here = {name: (tuple(v.shape), v.dtype.as_numpy_dtype.__name__) for name, v in state.items()}
    if there == here:
        return
    differing = sorted(name for name in there | here if there.get(name) != here.get(name))
    name = differing[0]
    raise PipelineError(
        f"{path} does not fit this training: {len(differing)} differing arrays, {name} is "
        f"{there.get(name, 'missing')} there, {here.get(name, 'unknown')} here"
    )


def _sync(folder: Path) -> None:
    """Have the folder's entries survive a loss of power, as the files do."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network mounts know no such thing
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
