"""A training that is asked to stop, in real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.shared.files import read_json
from components.train.config import TrainConfig
from tests.components.train.conftest import (
    assert_same_training,
    component_arguments,
    newest_checkpoint,
    only_folder,
)

CONFIG = TrainConfig(
    epochs=3, batch_size=4, base_width=16, latent_size=8, ema_half_life=50,
    snapshot_epochs=10, checkpoint_seconds=1e6, precision="float32",
)  # fmt: skip


def wait_until(true):
    deadline = time.monotonic() + 120
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def error_lines(log):
    return [line for line in log.splitlines() if line.startswith("[train] error")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_training_has_lost_nothing(start, tmp_path, number):
    """Stopped in the last step of an epoch, which needs its sheet and its curves' point."""
    training = start(CONFIG, "never", wait_at=11)
    wait_until(lambda: training.events("done")[-1:] == [11])
    assert not list(only_folder(tmp_path / "checkpoints").glob("checkpoints/*"))
    os.kill(training.pid, number)
    assert training.wait() == 143
    assert error_lines(training.log) == [
        "[train] error 143: stopped after step 12 of 18, epoch 2, with a checkpoint; the same "
        "command goes on from there"
    ]
    folder = only_folder(tmp_path / "checkpoints")
    assert newest_checkpoint(folder).name == "step-00000012.npz"
    assert not (tmp_path / "never").exists()
    resumed = start(CONFIG, "resumed")
    assert resumed.wait() == 0, resumed.log
    assert resumed.events("from") == [12]
    straight = start(CONFIG, "straight", "straight.checkpoints")
    assert straight.wait() == 0, straight.log
    assert_same_training(only_folder(tmp_path / "straight.checkpoints"), folder)


def test_stopped_while_a_checkpoint_is_written(start, tmp_path):
    config = CONFIG.model_copy(update={"checkpoint_seconds": 0})
    training = start(config, "never", slow_writes=0.5, wait_at=4)
    wait_until(lambda: list(tmp_path.glob("checkpoints/*/checkpoints/.step-00000001.*")))
    wait_until(lambda: training.events("done")[-1:] == [4])
    os.kill(training.pid, signal.SIGTERM)
    assert training.wait() == 143
    folder = only_folder(tmp_path / "checkpoints")
    steps = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert steps == ["step-00000001.npz", "step-00000005.npz"]


def test_stopped_while_it_imports_tensorflow(tmp_path):
    arguments = component_arguments(
        (tmp_path / "records", tmp_path / "graph"), tmp_path / "training", tmp_path, CONFIG
    )
    code = (
        "from types import SimpleNamespace; from components.train.component import train\n"
        f"arguments = {arguments!r}\n"
        "for name in ('records', 'transform_graph', 'training'):\n"
        "    arguments[name] = SimpleNamespace(path=arguments[name])\n"
        "train.python_func(**arguments)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        loaded = Path(f"/proc/{process.pid}/maps")
        wait_until(lambda: "_pywrap_tensorflow" in loaded.read_text())
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert output == ("[train] error 143: stopped by SIGTERM; the same command goes on\n")
    assert "Traceback" not in errors


def test_full_disk_found_by_the_writer_ends_the_training(start, tmp_path):
    """And no checkpoint follows a sheet that could not be written."""
    config = CONFIG.model_copy(update={"checkpoint_seconds": 0})
    training = start(config, "never", full_at=[10, "sheets/epoch-0002.png"])
    assert training.wait() == 2
    (line,) = error_lines(training.log)
    assert line.startswith("[train] error 2: no space left on the disk")
    folder = only_folder(tmp_path / "checkpoints")
    newest = int(newest_checkpoint(folder).stem.removeprefix("step-"))
    assert newest < 12, "where the second epoch ended"
    assert read_json(folder / "training_state.json")["status"] == "running"
    resumed = start(config, "resumed")
    assert resumed.wait() == 0, resumed.log
    assert resumed.events("from") == [newest]
