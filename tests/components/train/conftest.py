"""Trainings in real processes, and what two of them must have in common."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from components.shared.contracts import DISCRIMINATOR, GENERATOR, MODEL_INFO
from components.shared.files import read_json_lines, write_json
from components.train import hardware
from components.train.checkpoints import values_of
from components.train.config import TrainConfig
from components.train.networks import build_generator, generator_weights
from components.train.trainer import Trainer
from components.transform.config import TransformConfig
from components.transform.step import transform
from tests.records import write_records

TIMED = {"seconds", "images_per_second"}
CODE = "code"


@pytest.fixture(scope="session")
def transform_graph(tmp_path_factory):
    """Folder of the transform graph of pictures: made once, and changed by no test."""
    folders = {}

    def transform_graph(images):
        key = images.tobytes()
        if key not in folders:
            folder = tmp_path_factory.mktemp("transform")
            transform(
                write_records(folder / "records", train=images), folder / "graph", TransformConfig()
            )
            folders[key] = folder / "graph"
        return folders[key]

    return transform_graph


@pytest.fixture
def inputs(transform_graph, make_records, random_images):
    """Folders of records and transform graph, of 24 pictures."""
    return make_records(train=random_images), transform_graph(random_images)


@pytest.fixture
def claim_cpu(monkeypatch, tmp_path):
    """Claim a CPU with the given flags."""

    def claim(flags):
        (tmp_path / "cpuinfo").write_text(f"processor: 0\nflags\t\t: fpu {flags} sse\n")
        monkeypatch.setattr(hardware, "_CPU_INFO", tmp_path / "cpuinfo")

    return claim


class ForkedTraining:
    """A training under way in a child of the fork server."""

    def __init__(self, server, log, **request):
        self._server, self._log = server, log
        self.pid = self._ask(log=str(log), **request)
        self._code = None

    def wait(self):
        """Exit code; negative for a signal."""
        if self._code is None:
            self._code = self._ask(wait=self.pid)
        return self._code

    def end(self):
        """Kill it, if it is still there."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def _ask(self, **request):
        self._server.stdin.write(json.dumps(request) + "\n")
        return int(self._server.stdout.readline())

    @property
    def log(self):
        return self._log.read_text()

    def events(self, kind):
        """Steps of one kind of event, in order."""
        path = Path(f"{self._log}.events")
        lines = path.read_text().splitlines() if path.exists() else []
        return [event[kind] for event in map(json.loads, lines) if kind in event]


@pytest.fixture(scope="session")
def fork_server():
    program = Path(__file__).with_name("fork_server.py")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, str(program)], env=environment, text=True, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as server:  # fmt: skip
        yield server
        server.stdin.close()


@pytest.fixture
def start(fork_server, inputs, tmp_path):
    """Start a training: start(config, name of its output, checkpoint root, plan).

    In a process with more variables in its `environment`, which runs some `code` before, and
    with other arguments of the component where there are `changes`.
    """
    started = []

    def start(
        config: TrainConfig,
        name="training",
        checkpoints="checkpoints",
        *,
        code="",
        environment=(),
        changes=(),
        **plan,
    ):
        log = tmp_path / f"{len(started)}.log"
        component = component_arguments(inputs, tmp_path / name, tmp_path / checkpoints, config)
        component.update(changes)
        training = ForkedTraining(
            fork_server, log, component=component, plan=plan, code=code,
            environment=dict(environment),
        )  # fmt: skip
        started.append(training)
        return training

    yield start
    for training in started:
        training.end()


def component_arguments(inputs, training, checkpoint_root, config):
    return {
        "records": str(inputs[0]), "transform_graph": str(inputs[1]), "training": str(training),
        "checkpoint_root": str(checkpoint_root), "code_version": CODE,
        "config": config.model_dump(mode="json"),
    }  # fmt: skip


def only_folder(checkpoint_root):
    (folder,) = checkpoint_root.glob("[!.]*")
    return folder


def newest_checkpoint(folder):
    return max((folder / "checkpoints").glob("step-*.npz"))


def assert_same_training(one, other):
    """Folders of two trainings: all state at the end, and all that it left, to the bit."""
    paths = [newest_checkpoint(folder) for folder in (one, other)]
    assert paths[0].name == paths[1].name
    with np.load(paths[0]) as arrays, np.load(paths[1]) as others:
        assert set(arrays) == set(others)
        assert len(arrays) > 40
        for name in set(arrays) - {"seconds"}:
            np.testing.assert_array_equal(arrays[name], others[name], err_msg=name)
    assert_same_results(one, other)


def assert_same_results(one, other):
    """Weights of snapshots, sheets and losses, to the bit."""
    for name in ("snapshots", "sheets"):
        names = [{path.name for path in (folder / name).iterdir()} for folder in (one, other)]
        assert names[0] == names[1]
    for path in sorted((one / "snapshots").iterdir()):
        weights, others = map(weights_in, (path, other / "snapshots" / path.name))
        for a, b in zip(weights, others, strict=True):
            np.testing.assert_array_equal(a, b)
    for path in (one / "sheets").iterdir():
        assert path.read_bytes() == (other / "sheets" / path.name).read_bytes(), path.name
    assert curve(one) == curve(other)


def weights_in(snapshot):
    if snapshot.suffix == ".keras":
        return keras.models.load_model(snapshot).get_weights()
    with np.load(snapshot) as arrays:
        return list(arrays.values())


def curve(training):
    rows = read_json_lines(training / "metrics.jsonl")
    return [{k: v for k, v in row.items() if k not in TIMED} for row in rows]


def weights_of(trainer):
    """Copies of all weights of both networks, by name."""
    return values_of(generator_weights(trainer.generator) | trainer.discriminator.named_weights())


def save_model(folder, config, seed=1, classes=None, **info):
    """Save fresh networks as a model is published; gives their weights."""
    folder.mkdir(parents=True)
    trainer = Trainer(config.model_copy(update={"seed": seed}), 32, classes=classes)
    for variable in generator_weights(trainer.generator).values():  # statistics, too
        variable.assign_add(0.01 * seed * np.ones(variable.shape))
    count = len(classes.names) if classes else 0
    generator = build_generator(config, 32, classes=count)  # of Keras' own layers, as snapshots are
    generator.set_weights(trainer.generator.get_weights())
    generator.save(folder / GENERATOR)
    np.savez(folder / DISCRIMINATOR, **values_of(trainer.discriminator.named_weights()))
    names = [*classes.names] if classes else []
    known = {"digest": f"digest of {folder.name}", "classes": names}
    write_json(folder / MODEL_INFO, known | info)
    return weights_of(trainer)
