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

from components.shared.errors import UsageError
from components.shared.files import read_json
from components.train.config import TrainConfig
from components.train.replicas import Replicas, find_replicas
from components.train.step import train
from tests.components.train.conftest import (
    CODE,
    component_arguments,
    curve,
    newest_checkpoint,
    only_folder,
)

CONFIG = TrainConfig(
    epochs=2, batch_size=8, base_width=16, latent_size=8, precision="float32", dropout=0,
    batch_norm_momentum=0.9, ema_half_life=50, spectral_norm=True, r1_weight=1.0, r1_interval=1,
    flip=True, augment=("color", "translation", "cutout"),
)  # fmt: skip

# argv: arguments of the train component as JSON; a signal, and the step after which it comes;
# step 0 is the moment when all workers have met
PROCESS = """
import json, os, signal, sys
from types import SimpleNamespace
from components.train import step
from components.train.component import train
from components.train.loop import TrainingLoop
arguments, number, moment = json.loads(sys.argv[1]), *map(int, sys.argv[2:])
for name in ("records", "transform_graph", "training"):
    arguments[name] = SimpleNamespace(path=arguments[name])
after, find = TrainingLoop._after, step.find_replicas
def find_then_signal():
    replicas = find()
    if moment == 0:
        os.kill(os.getpid(), number)
    return replicas
def signal_after(loop, done):
    after(loop, done)
    if done == moment:
        loop._writer.flush()
        os.kill(os.getpid(), number)
step.find_replicas, TrainingLoop._after = find_then_signal, signal_after
train.python_func(**arguments)
"""

TOLD = """
from components.train import step
def told(config, image_size, dtype, make=step.Trainer):
    print("told to be", dtype, flush=True)
    return make(config, image_size, dtype)
step.Trainer = told
"""

CHIEF = """
from components.train import precision
from components.train.loop import TrainingLoop
def late(loop, done, look=TrainingLoop._look_at_the_clock):
    if done == 6:
        loop._trainer.seconds.assign_add(1e6)
    look(loop, done)
TrainingLoop._look_at_the_clock = late
precision.has_bfloat16 = lambda: True
precision.images_per_second = lambda *_: {"float32": 1.0, "bfloat16": 2.0}
"""

TWO_DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""

# Both replicas see the same pictures, and drop what they drop.
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


@pytest.fixture
def start(inputs, tmp_path):
    """Train in a process of its own; gives the process."""
    with contextlib.ExitStack() as stack:

        def start(name, code, cluster="{}", states=None, signal_at=(0, -1), **changes):
            arguments = component_arguments(
                inputs, tmp_path / name, tmp_path / (states or f"{name}-state"), CONFIG
            )
            number, moment = signal_at
            arguments = json.dumps(arguments | changes)
            file = stack.enter_context((tmp_path / f"{name}.log").open("w"))
            process = subprocess.Popen(
                [sys.executable, "-c", code, arguments, str(int(number)), str(moment)],
                env={**os.environ, "TF_CONFIG": cluster}, stdout=file, stderr=file,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        yield start


def test_two_devices_train_like_one(start, inputs, tmp_path):
    process = start("two", TWO_DEVICES + PROCESS + DROPOUT)
    assert process.wait() == 0, (tmp_path / "two.log").read_text()
    assert_same_training(inputs, tmp_path, "two")


def test_two_hosts_train_like_one_also_after_a_kill_and_a_stop(start, inputs, tmp_path):
    """The chief makes all files; every time, both go on from the same checkpoint."""
    workers = start_workers(start, {}, {"signal_at": (signal.SIGKILL, 4)})
    assert [worker.wait() for worker in workers] == [1, -signal.SIGKILL]
    assert "[train] error 1: worker 0 of 2 lost another one" in log(tmp_path, 0)

    # Told to stop, the chief needs the other one to end its step.
    asked = [{"signal_at": (signal.SIGTERM, step)} for step in (4, 4)]
    workers = start_workers(start, *asked)
    assert [worker.wait() for worker in workers] == [143, 1], log(tmp_path, 0)
    assert "stopped after step 5 of 6" in log(tmp_path, 0)
    assert "[train] error 1: worker 1 of 2 lost another one" in log(tmp_path, 1)
    assert not (tmp_path / "host0").exists()

    workers = start_workers(start, {}, {})
    assert [worker.wait() for worker in workers] == [0, 0], log(tmp_path, 0) + log(tmp_path, 1)
    assert all("going on from step 5 of 6" in log(tmp_path, index) for index in (0, 1))
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
    workers = start_workers(start, {}, change)
    assert [worker.wait() for worker in workers] == [1, 1]
    assert f"error 1: workers differ in {difference}" in log(tmp_path, 0)


def test_the_chief_decides_for_all_how_long_and_how_they_compute(start, tmp_path):
    """Its clock alone has run on for hours, and it alone has found bfloat16 to be faster."""
    config = CONFIG.model_copy(update={"epochs": 5, "minutes": 100, "precision": "auto"})
    changes = {"config": config.model_dump(mode="json")}
    workers = start_workers(
        start, {"code": TOLD + CHIEF + PROCESS, **changes}, {"code": TOLD + PROCESS, **changes}
    )
    assert [worker.wait() for worker in workers] == [0, 0], log(tmp_path, 0) + log(tmp_path, 1)
    assert read_json(tmp_path / "host0" / "training.json")["epochs"] == 2
    assert all("told to be mixed_bfloat16" in log(tmp_path, index) for index in (0, 1))


def test_worker_stops_before_the_first_step(start, tmp_path):
    workers = start_workers(start, {}, {"signal_at": (signal.SIGTERM, 0)})
    assert [worker.wait() for worker in workers] == [1, 143]
    assert "worker 0 of 2 lost another one" in log(tmp_path, 0)


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


def start_workers(start, *each):
    """Start hosts, each with what it does otherwise, over one checkpoint root."""
    chief, worker = (f"127.0.0.1:{port}" for port in free_ports())
    cluster = {"chief": [chief], "worker": [worker]}
    tasks = [json.dumps({"cluster": cluster, "task": {"type": job, "index": 0}}) for job in cluster]
    return [
        start(f"host{index}", changes.pop("code", PROCESS), task, "hosts-state", **changes)
        for index, (task, changes) in enumerate(zip(tasks, each, strict=True))
    ]


def free_ports():
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def log(tmp_path, index):
    return (tmp_path / f"host{index}.log").read_text()


def assert_same_training(inputs, tmp_path, name, states=None):
    """As one process makes it: curves, and all that the next step depends on.

    Adam hardly notices gradients that are twice as large; its moments do.
    """
    train(*inputs, tmp_path / "one", tmp_path / "one-state", CODE, CONFIG)
    assert read_json(tmp_path / name / "training.json")["steps"] == 6
    for row, twin in zip(curve(tmp_path / "one"), curve(tmp_path / name), strict=True):
        assert row == pytest.approx(twin, rel=1e-5)
    folders = (tmp_path / "one-state", tmp_path / (states or f"{name}-state"))
    one, other = (dict(np.load(newest_checkpoint(only_folder(each)))) for each in folders)
    assert set(one) == set(other)
    for key in set(one) - {"seconds"}:
        tolerance = 1e-3 * np.abs(one[key]).max()
        np.testing.assert_allclose(other[key], one[key], rtol=0, atol=tolerance, err_msg=key)
