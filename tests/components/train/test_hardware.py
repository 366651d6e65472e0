import pytest
import tensorflow as tf

from components.train import hardware
from components.train.hardware import dtype_policy


@pytest.fixture
def cpu(monkeypatch, tmp_path):
    """Claim a CPU with the given flags."""

    def claim(flags):
        (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags\t\t: fpu {flags} sse\n")
        monkeypatch.setattr(hardware, "_CPU_INFO", tmp_path / "cpuinfo")

    return claim


@pytest.mark.parametrize(
    ("flags", "policy"),
    [("avx512_bf16", "mixed_bfloat16"), ("avx2 amx_bf16", "mixed_bfloat16"), ("avx2", "float32")],
)
def test_auto_follows_the_cpu_and_says_so(cpu, flags, policy, caplog):
    cpu(flags)
    with caplog.at_level("INFO", logger="dcgan.train"):
        assert dtype_policy("auto") == policy
    assert ("bf16" in caplog.text) == (policy == "mixed_bfloat16")


def test_what_is_asked_for_is_what_is_taken(cpu):
    cpu("avx512_bf16")
    assert dtype_policy("float32") == "float32"
    cpu("avx2")
    assert dtype_policy("bfloat16") == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("capability", "policy"), [((9, 0), "mixed_bfloat16"), ((7, 5), "float32")]
)
def test_auto_follows_the_weakest_gpu(monkeypatch, cpu, capability, policy):
    """No GPU here: TensorFlow's two answers about them are stood in for."""
    cpu("avx512_bf16")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a", "b"])
    capabilities = {"a": (9, 0), "b": capability}
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"compute_capability": capabilities[gpu]},
    )
    assert dtype_policy("auto") == policy
