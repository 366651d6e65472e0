"""Trainings shared by replicas, in real processes, against the same training in one."""

import json
import signal
import socket
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import tensorflow as tf

from components.shared.errors import UsageError
from components.shared.files import read_json
from components.train.config import Augmentation, TrainConfig
from components.train.replicas import Replicas, find_replicas
from components.train.step import train
from tests.components.train.conftest import CODE, curve, newest_checkpoint, only_folder

CONFIG = TrainConfig(
    epochs=2, batch_size=8, base_width=16, latent_size=8, precision="float32", dropout=0,
    batch_norm_momentum=0.9, ema_half_life=50, spectral_norm=True, r1_weight=1.0, r1_interval=1,
    flip=True, augment=get_args(Augmentation),
)  # fmt: skip

TOLD = """
from components.train import step
def told(config, image_size, dtype, classes, make=step.Trainer):
    print("told to be", dtype, flush=True)
    return make(config, image_size, dtype, classes)
step.Trainer = told
"""

CHIEF = """
from components.train import precision
from components.train.loop import TrainingLoop
def late(loop, done, decide=TrainingLoop._decide_on_the_end):
    if done == 6:
        loop._trainer.seconds.assign_add(1e6)
    return decide(loop, done)
TrainingLoop._decide_on_the_end = late
precision.has_bfloat16 = lambda: True
precision.images_per_second = lambda *_: {"float32": 1.0, "bfloat16": 2.0}
"""

TWO_DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""

# Both replicas see the same pictures, and drop different units.
DROPOUT = """
from components.train.replicas import find_replicas
from components.train.config import TrainConfig
from components.train.trainer import Purpose, Trainer
strategy = find_replicas().strategy
assert strategy.num_replicas_in_sync == 2, strategy
with strategy.scope():
    trainer = Trainer(TrainConfig(base_width=16, dropout=0.5), 32)
@tf.function
def judge():
    return strategy.run(lambda: trainer._judge(tf.ones([2, 32, 32, 3]), Purpose.DROPOUT_REAL))
one, other = strategy.experimental_local_results(judge())
assert tf.reduce_any(one != other), one
"""


def test_two_devices_train_like_one(start, inputs, tmp_path):
    two = start(CONFIG, "two", "two-state", code=TWO_DEVICES)
    assert two.wait() == 0, two.log
    assert "2 replicas" in two.log
    assert_same_training(inputs, tmp_path, "two", "two-state")


def test_two_devices_drop_units_of_their_own(start):
    other = start(CONFIG, code=TWO_DEVICES + DROPOUT + "raise SystemExit(0)")
    assert other.wait() == 0, other.log


def test_two_hosts_train_like_one_also_after_a_kill_and_a_stop(start, inputs, tmp_path):
    """The chief makes all files; every time, both go on from the same checkpoint."""
    hosts = start_hosts(start, {}, {"signal_at": [4, signal.SIGKILL]})
    assert [host.wait() for host in hosts] == [1, -signal.SIGKILL]
    assert "[train] error 1: worker 0 of 2 lost another one" in hosts[0].log

    # Told to stop, the chief needs the other one to end its step.
    hosts = start_hosts(start, *[{"signal_at": [4, signal.SIGTERM]}] * 2)
    assert [host.wait() for host in hosts] == [143, 1], hosts[0].log
    assert "stopped after step 5 of 6" in hosts[0].log
    assert "[train] error 1: worker 1 of 2 lost another one" in hosts[1].log
    assert not (tmp_path / "host0").exists()

    hosts = start_hosts(start, {}, {})
    assert [host.wait() for host in hosts] == [0, 0], hosts[0].log + hosts[1].log
    assert all("going on from step 5 of 6" in host.log for host in hosts)
    assert not (tmp_path / "host1").exists()
    assert_same_training(inputs, tmp_path, "host0", "hosts-state")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"code_version": "another"}, "data, code or configuration"),
        ({"checkpoint_root": "elsewhere"}, "the state that they start from"),
    ],
    ids=["code", "checkpoint"],
)
def test_workers_that_differ_do_not_train_together(start, inputs, tmp_path, change, difference):
    train(*inputs, tmp_path / "one", tmp_path / "hosts-state", CODE, CONFIG)
    hosts = start_hosts(start, {}, {"changes": change})
    assert [host.wait() for host in hosts] == [1, 1]
    assert f"error 1: workers differ in {difference}" in hosts[0].log


def test_the_chief_decides_for_all_how_long_and_how_they_compute(start, tmp_path):
    """Its clock alone has run on for hours, and it alone has found bfloat16 to be faster."""
    config = CONFIG.model_copy(update={"epochs": 5, "minutes": 100, "precision": "auto"})
    hosts = start_hosts(start, {"code": TOLD + CHIEF}, {"code": TOLD}, config=config)
    assert [host.wait() for host in hosts] == [0, 0], hosts[0].log + hosts[1].log
    assert read_json(tmp_path / "host0" / "training.json")["epochs"] == 2
    assert all("told to be mixed_bfloat16" in host.log for host in hosts)


def test_worker_stops_before_the_first_step(start, tmp_path):
    hosts = start_hosts(start, {}, {"signal_at": [0, signal.SIGTERM]})
    assert [host.wait() for host in hosts] == [1, 143]
    assert "worker 0 of 2 lost another one" in hosts[0].log


def test_batch_that_replicas_cannot_share_evenly_is_refused():
    replicas = Replicas(SimpleNamespace(num_replicas_in_sync=4), worker=1, workers=2)
    assert replicas.rows(8) == slice(4, 8)
    with pytest.raises(UsageError, match=r"\(=10\) is not a multiple of the 4 replicas on 2 host"):
        replicas.rows(10)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:1"]}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}',
    ],
)
def test_cluster_that_is_not_understood_is_refused(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(UsageError, match=r"TF_CONFIG is not understood: "):
        find_replicas()


@pytest.mark.parametrize("config", ["{}", '{"cluster": {"worker": ["a:1"]}}'])
def test_one_process_on_one_device_needs_no_strategy(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    assert find_replicas() == Replicas(tf.distribute.get_strategy(), worker=0, workers=1)


def start_hosts(start, *each, config=CONFIG):
    """Start hosts, each with what it does otherwise, over one checkpoint root."""
    chief, worker = (f"127.0.0.1:{port}" for port in free_ports())
    cluster = {"chief": [chief], "worker": [worker]}
    tasks = [json.dumps({"cluster": cluster, "task": {"type": job, "index": 0}}) for job in cluster]
    return [
        start(config, f"host{index}", "hosts-state", environment={"TF_CONFIG": task}, **different)
        for index, (task, different) in enumerate(zip(tasks, each, strict=True))
    ]


def free_ports():
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def assert_same_training(inputs, tmp_path, name, states):
    """As one process makes it: curves, and all that the next step depends on.

    Adam hardly notices gradients that are twice as large; its moments do.
    """
    train(*inputs, tmp_path / "one", tmp_path / "one-state", CODE, CONFIG)
    assert read_json(tmp_path / name / "training.json")["steps"] == 6
    for row, twin in zip(curve(tmp_path / "one"), curve(tmp_path / name), strict=True):
        assert row == pytest.approx(twin, rel=1e-5)
    folders = (tmp_path / "one-state", tmp_path / states)
    one, other = (dict(np.load(newest_checkpoint(only_folder(each)))) for each in folders)
    assert set(one) == set(other)
    for key in set(one) - {"seconds"}:
        tolerance = 1e-3 * np.abs(one[key]).max()
        np.testing.assert_allclose(other[key], one[key], rtol=0, atol=tolerance, err_msg=key)
