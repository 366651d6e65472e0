"""Trainings that are killed and go on, against trainings that were never stopped."""

import os
import random
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import pipeline
from components.shared.files import read_json, read_json_lines
from components.train.config import TrainConfig
from tests.components.train.conftest import (
    assert_same_training,
    newest_checkpoint,
    only_folder,
    save_model,
)

PROFILES = Path(pipeline.__file__).with_name("profiles")


def profile(name, **changes):
    """The train section of a profile, made small."""
    section = yaml.safe_load((PROFILES / f"{name}.yaml").read_text())["train"]
    small = {"base_width": 16, "batch_size": 4, "epochs": 3, "precision": "float32", "patience": 0}
    return TrainConfig(**section | small | changes)


@pytest.mark.parametrize("name", ["seed", "full"])
def test_killed_training_ends_as_one_that_was_never_stopped(start, tmp_path, name):
    config = profile(name)
    straight = start(config, "straight", "straight.checkpoints")
    assert straight.wait() == 0, straight.log
    killed = start(config, "never", checkpoint_at=9, kill_at=11)
    assert killed.wait() == -signal.SIGKILL, killed.log
    assert not (tmp_path / "never").exists()
    folder = only_folder(tmp_path / "checkpoints")
    (folder / "snapshots" / ".partial-epoch-0002.keras").write_bytes(b"half")
    (folder / "checkpoints" / ".step-00000010.npz.partial").write_bytes(b"half")
    resumed = start(config, "resumed")
    assert resumed.wait() == 0, resumed.log
    assert resumed.events("from") == [9], "within the second epoch of 6 steps"
    assert "going on from step 9 of 18, epoch 2" in resumed.log
    assert not list(folder.rglob(".*partial*"))
    assert_same_training(only_folder(tmp_path / "straight.checkpoints"), folder)


def test_killed_training_does_not_look_again_at_what_it_started_from(start, tmp_path):
    """It goes on to the bit, and knows its origin, when that is no longer there."""
    published = tmp_path / "dcgan" / "1"
    config = profile("full", warm_start=str(published))
    save_model(published, config)
    straight = start(config, "straight", "straight.checkpoints")
    assert straight.wait() == 0, straight.log
    killed = start(config, "never", checkpoint_at=9, kill_at=11)
    assert killed.wait() == -signal.SIGKILL, killed.log
    shutil.rmtree(published)
    resumed = start(config, "resumed")
    assert resumed.wait() == 0, resumed.log
    assert resumed.events("from") == [9]
    assert_same_training(
        only_folder(tmp_path / "straight.checkpoints"), only_folder(tmp_path / "checkpoints")
    )
    origins = [
        read_json(tmp_path / name / "training.json")["descends_from"]
        for name in ("straight", "resumed")
    ]
    assert origins[0] == origins[1]
    assert origins[0]["discriminator"]["taken"] == 4


def test_more_epochs_go_on_from_a_finished_training(start, tmp_path):
    changes = {"snapshot_epochs": 2}
    straight = start(profile("full", epochs=5, **changes), "straight", "straight.checkpoints")
    assert straight.wait() == 0, straight.log
    assert start(profile("full", epochs=3, **changes), "shorter").wait() == 0
    longer = start(profile("full", epochs=5, **changes), "longer")
    assert longer.wait() == 0, longer.log
    assert longer.events("from") == [18]
    assert_same_training(
        only_folder(tmp_path / "straight.checkpoints"), only_folder(tmp_path / "checkpoints")
    )


SMALL = np.random.default_rng(0).integers(0, 256, (24, 16, 16, 3), np.uint8)


@pytest.mark.parametrize("random_images", [SMALL], ids=["16x16"])
def test_ended_ten_times_at_any_moment(start, tmp_path, random_images):
    """With a checkpoint written nearly all the time, by steps of some milliseconds.

    Killed, or asked to stop and killed before it may be done.
    """
    ways = ["kill_soon", "kill_in_write", "stop_soon", "kill_in_fsync", "stop_in_write"]
    config = profile("seed", epochs=60, checkpoint_seconds=0, snapshot_epochs=5, ema_half_life=50)
    straight = start(config, "straight", "straight.checkpoints")
    assert straight.wait() == 0, straight.log
    moments, in_write = random.Random(0), 0
    before = 0
    for life in range(10):  # each way twice
        how = ways[life % 5]
        plan = {how: [moments.randrange(1, 10), moments.uniform(0, 0.03)]}
        training = start(config, "never", **plan)
        code = training.wait()
        assert code in {-signal.SIGKILL, 143 if "stop" in how else None}, training.log
        assert training.events("from") == [before], "all that was there is found"
        before = assert_nothing_is_missing(only_folder(tmp_path / "checkpoints"))
        # One checkpoint may be under way; the one that was asked for before it is there.
        asked_for = [training.events("from")[0], *training.events("queued")]
        assert before >= asked_for[-2 if len(asked_for) > 1 and code != 143 else -1]
        in_write += bool(list(tmp_path.glob("checkpoints/*/checkpoints/.step-*.partial")))
    assert not (tmp_path / "never").exists()
    resumed = start(config, "resumed")
    assert resumed.wait() == 0, resumed.log
    assert_same_training(
        only_folder(tmp_path / "straight.checkpoints"), only_folder(tmp_path / "checkpoints")
    )
    assert in_write >= 2, "kills that fell into the writing of a checkpoint"
    print(f"{in_write} of 10 kills fell into the writing of a checkpoint")


def assert_nothing_is_missing(folder):
    """The newest checkpoint reads whole, and what the epochs before it left is there."""
    if not list((folder / "checkpoints").glob("step-*.npz")):
        return 0
    with np.load(newest_checkpoint(folder)) as arrays:
        step = int({name: arrays[name] for name in arrays}["step"])
    epochs = range(1, step // 6 + 1)
    for epoch in [0, *epochs]:
        with Image.open(folder / "sheets" / f"epoch-{epoch:04d}.png") as sheet:
            sheet.load()
    rows = read_json_lines(folder / "metrics.jsonl")
    assert [row["epoch"] for row in rows][: len(epochs)] == list(epochs)
    taken = [epoch for epoch in epochs if epoch % 5 == 0]
    assert not taken or (folder / "snapshots" / f"epoch-{taken[-1]:04d}.keras").exists()
    return step


def test_memory_stays_flat(start):
    config = profile("seed", epochs=200, batch_size=8, checkpoint_seconds=0, snapshot_epochs=4)
    training = start(config)
    assert training.wait() == 0, training.log
    memory = [pages * os.sysconf("SC_PAGE_SIZE") / 2**20 for pages in training.events("memory")]
    early, late = max(memory[50 * 3 - 30 : 50 * 3]), max(memory[-30:])

    assert late < early + 15, f"{early:.0f} MiB after 50 epochs, {late:.0f} MiB after 200"
