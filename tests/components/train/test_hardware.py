import pytest
import tensorflow as tf

from components.train.hardware import has_bfloat16


@pytest.mark.parametrize(
    ("flags", "there"), [("avx512_bf16", True), ("avx2 amx_bf16", True), ("avx2", False)]
)
def test_bfloat16_of_the_cpu(claim_cpu, flags, there):
    claim_cpu(flags)
    assert has_bfloat16() is there


@pytest.mark.parametrize(("capability", "there"), [((9, 0), True), ((7, 5), False)])
def test_bfloat16_of_the_weakest_gpu(monkeypatch, claim_cpu, capability, there):
    """No GPU here: TensorFlow's two answers about them are stood in for."""
    claim_cpu("avx512_bf16")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a", "b"])
    capabilities = {"a": (9, 0), "b": capability}
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"compute_capability": capabilities[gpu]},
    )
    assert has_bfloat16() is there
