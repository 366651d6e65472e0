"""What the machine can do, and what is made of it."""

import logging
from pathlib import Path

import tensorflow as tf

from components.train.config import Precision

LOG = logging.getLogger("dcgan.train")
_CPU_INFO = Path("/proc/cpuinfo")
_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}  # without one of them bfloat16 is slower than float32
_GPU_CAPABILITY = (8, 0)  # Ampere, the first with bfloat16


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def dtype_policy(precision: Precision) -> str:
    """Choose the data type policy of the networks, and log it.

    Args:
        precision: "float32", "bfloat16", or "auto": bfloat16 where the hardware computes in it.

    Returns:
        "float32" or "mixed_bfloat16", in which convolutions compute in bfloat16 while
        weights, optimisers, batch statistics and losses stay float32.
    """
    reason = f"train.precision={precision}"
    if precision == "auto":
        found = _bfloat16_support()
        precision, reason = ("bfloat16", found) if found else ("float32", "no bfloat16 hardware")
    LOG.info("computing in %s (%s)", precision, reason)
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


def _bfloat16_support() -> str | None:
    """What in this machine computes in bfloat16; None where nothing does."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        weakest = min(each.get("compute_capability", (0, 0)) for each in details)
        return (
            f"GPU of capability {weakest[0]}.{weakest[1]}" if weakest >= _GPU_CAPABILITY else None
        )
    try:
        lines = _CPU_INFO.read_text().splitlines()
    except OSError:
        return None
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return next((f"CPU with {flag}" for flag in sorted(_CPU_FLAGS) if flag in flags), None)
