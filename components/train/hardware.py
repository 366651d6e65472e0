"""What the machine can do."""

from pathlib import Path

import tensorflow as tf

_CPU_INFO = Path("/proc/cpuinfo")
_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}  # without one of them bfloat16 is emulated
_GPU_CAPABILITY = (8, 0)  # Ampere, the first with bfloat16


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def has_bfloat16() -> bool:
    """Whether what trains here, CPU or all GPUs, computes in bfloat16; not how fast."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        weakest = min(each.get("compute_capability", (0, 0)) for each in details)
        return bool(weakest >= _GPU_CAPABILITY)
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return not _CPU_FLAGS.isdisjoint(flags)
