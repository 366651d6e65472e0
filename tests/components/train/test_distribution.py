"""Trainings shared by replicas, in real processes, against the same training in one."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from components.shared.contracts import METRICS
from components.shared.errors import UsageError
from components.shared.files import read_json, read_json_lines
from components.train.config import TrainConfig
from components.train.hardware import Hardware, find_hardware
from components.train.step import train
from components.transform.config import TransformConfig
from components.transform.step import transform

CONFIG = TrainConfig(
    epochs=2, batch_size=8, base_width=16, latent_size=8, dropout=0, batch_norm_momentum=0.9,
    ema_half_life=50, r1_weight=1.0, r1_interval=1, augment=("color", "translation"),
)  # fmt: skip

# argv: records, graph, training, checkpoints, code version, configuration,
# step after which to be killed (or 0)
PROCESS = """
import json, os, signal, sys
from pathlib import Path
from components.shared.process import step_process
with step_process("train"):
    from components.train.config import TrainConfig
    from components.train.loop import TrainingLoop
    from components.train.step import train
    *paths, code, config, last = sys.argv[1:]
    after = TrainingLoop._after
    def killed(loop, done):
        after(loop, done)
        if done == int(last):
            os.kill(os.getpid(), signal.SIGKILL)
    TrainingLoop._after = killed
    train(*map(Path, paths), code, TrainConfig(**json.loads(config)))
"""

TWO_DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""

# Both replicas see the same pictures, and drop what they drop.
DROPOUT = """
from components.train.hardware import find_hardware
from components.train.trainer import Purpose, Trainer
strategy = find_hardware().strategy
assert strategy.num_replicas_in_sync == 2, strategy
with strategy.scope():
    trainer = Trainer(TrainConfig(base_width=16, dropout=0.5), 32)
@tf.function
def judge():
    return strategy.run(lambda: trainer._judge(tf.ones([2, 32, 32, 3]), Purpose.DROPOUT_REAL))
one, other = strategy.experimental_local_results(judge())
assert tf.reduce_any(one != other), one
"""


@pytest.fixture
def inputs(tmp_path, make_records, random_images):
    records = make_records(train=random_images)
    transform(records, tmp_path / "graph", TransformConfig())
    train(records, tmp_path / "graph", tmp_path / "one", tmp_path / "one-state", "code", CONFIG)
    return records, tmp_path / "graph"


@pytest.fixture
def start(inputs, tmp_path):
    """Train in a process of its own; gives the process."""
    with contextlib.ExitStack() as stack:

        def start(name, code, cluster="{}", states=None, last=0, version="code"):
            paths = map(str, [*inputs, tmp_path / name, tmp_path / (states or f"{name}-state")])
            arguments = [*paths, version, CONFIG.model_dump_json(), str(last)]
            file = stack.enter_context((tmp_path / f"{name}.log").open("w"))
            process = subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                env={**os.environ, "TF_CONFIG": cluster}, stdout=file, stderr=file,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


def test_two_devices_train_like_one(start, tmp_path):
    process = start("two", TWO_DEVICES + PROCESS + DROPOUT)
    assert process.wait() == 0, log(tmp_path, "two")
    assert_same_training(tmp_path, "two")


def test_two_hosts_train_like_one_also_after_one_of_them_died(start, tmp_path):
    """The chief makes all files; the other one is killed, and both go on together."""
    workers = start_workers(start, kill_after=4)
    assert [worker.wait() for worker in workers] == [1, -signal.SIGKILL]
    assert "[train] error 1: worker 0 of 2 lost another one" in log(tmp_path, "host0")
    assert not (tmp_path / "host0").exists()

    workers = start_workers(start)
    ends = [worker.wait() for worker in workers]
    logs = [log(tmp_path, name) for name in ("host0", "host1")]
    assert ends == [0, 0], logs
    assert all("going on from step 3 of 6" in text for text in logs)
    assert not (tmp_path / "host1").exists()
    assert_same_training(tmp_path, "host0", "hosts-state")


def test_workers_with_different_code_do_not_train_together(start, tmp_path):
    workers = start_workers(start, codes=("code", "another"))
    assert [worker.wait() for worker in workers] == [1, 1]
    assert "error 1: workers differ in data, code or configuration" in log(tmp_path, "host0")


def test_batch_that_replicas_cannot_share_evenly_is_refused():
    hardware = Hardware(SimpleNamespace(num_replicas_in_sync=4), worker=1, workers=2)
    assert hardware.rows(8) == slice(4, 8)
    with pytest.raises(UsageError, match=r"\(=10\) is not a multiple of the 4 replicas on 2 host"):
        hardware.rows(10)


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
        find_hardware()


@pytest.mark.parametrize("config", ["{}", '{"cluster": {"worker": ["a:1"]}}'])
def test_one_process_on_one_device_needs_no_strategy(config, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", config)
    assert find_hardware() == Hardware(tf.distribute.get_strategy(), worker=0, workers=1)


def start_workers(start, kill_after=0, codes=("code", "code")):
    """Two hosts with one checkpoint root; the second may be killed after a step."""
    chief, worker = (f"127.0.0.1:{port}" for port in free_ports())
    cluster = {"chief": [chief], "worker": [worker]}
    tasks = [json.dumps({"cluster": cluster, "task": {"type": job, "index": 0}}) for job in cluster]
    return [
        start("host0", PROCESS, tasks[0], "hosts-state", 0, codes[0]),
        start("host1", PROCESS, tasks[1], "hosts-state", kill_after, codes[1]),
    ]


def free_ports():
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def log(tmp_path, name):
    return (tmp_path / f"{name}.log").read_text()


def assert_same_training(tmp_path, name, states=None):
    """Curves, and all that the next step depends on: weights, statistics, average, slots.

    Adam hardly notices gradients that are twice as large; its slots do.
    """
    assert read_json(tmp_path / name / "training.json")["steps"] == 6
    curves = [read_json_lines(tmp_path / each / METRICS) for each in ("one", name)]
    for row, twin in zip(*curves, strict=True):
        for loss in ("discriminator_loss", "generator_loss"):
            assert row[loss] == pytest.approx(twin[loss], rel=1e-5)
    one, other = (state(tmp_path / each) for each in ("one-state", states or f"{name}-state"))
    assert one.keys() == other.keys()
    for key, value in one.items():
        scale = np.abs(value).max()
        np.testing.assert_allclose(other[key], value, rtol=0, atol=1e-3 * scale, err_msg=key)


def state(checkpoints):
    """All variables of the last checkpoint but the time that it took, by name."""
    latest = tf.train.latest_checkpoint(next(checkpoints.iterdir()) / "checkpoints")
    reader = tf.train.load_checkpoint(latest)
    names = [name for name in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in name]
    return {name: reader.get_tensor(name) for name in names if not name.startswith("seconds")}
