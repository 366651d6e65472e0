"""Trainings that end where the KID of their snapshots no longer falls."""

import json
import signal

import keras
import numpy as np
import pytest

from components.shared.contracts import KIDS, epoch_file
from components.shared.files import read_json, read_json_lines
from components.train.config import TrainConfig
from components.train.patience import Patience
from components.train.snapshot_kid import SnapshotKid
from components.train.training_folder import FollowerFolder
from components.train.training_state import read_state
from tests.components.train.conftest import assert_same_training, only_folder
from tests.components.train.test_minutes import snapshots

CONFIG = TrainConfig(
    epochs=12, patience=3, snapshots_kept=2, batch_size=4, base_width=16, latent_size=8,
    snapshot_epochs=1, checkpoint_seconds=1e6, precision="float32",
)  # fmt: skip
STEPS = 6  # an epoch
BY_PLAN = (
    "from components.train import patience\n"
    "patience._PROGRAM = 'tests.components.train.kid_by_plan'\n"
)
BY_FEW_SAMPLES = "from components.train import patience\npatience.SAMPLES = 20\n"
# Epoch 3 gains, 4 is lower by chance: after epoch 6 there are three without a gain.
FALLS = [0.9, 0.5, 0.4, 0.3, 0.295, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37]


@pytest.fixture
def train_by_plan(start):
    """Train to the end, with these KIDs."""

    def train_by_plan(config, name, kids, code=0, checkpoints="checkpoints", **plan):
        training = start(
            config, name, checkpoints, code=BY_PLAN, environment={"KIDS": json.dumps(kids)}, **plan
        )
        assert training.wait() == code, training.log
        return training

    return train_by_plan


def test_a_training_ends_when_nothing_was_gained_and_keeps_its_best(train_by_plan, tmp_path):
    training = train_by_plan(CONFIG, "ended", FALLS)
    assert (
        "train.patience (=3) is used up, no gain in KID since epoch 3: epoch 7 is the last one"
    ) in training.log
    ended = read_json(tmp_path / "ended" / "training.json")
    assert (ended["epochs"], ended["steps"]) == (7, 7 * STEPS)
    rows = read_json_lines(tmp_path / "ended" / KIDS)
    assert [(row["epoch"], row["kid"]) for row in rows] == [*enumerate(FALLS[:7])]
    assert [row["epoch"] for row in rows if row["gain"]] == [0, 1, 2, 3]
    assert snapshots(tmp_path / "ended") == {f"epoch-000{epoch}" for epoch in (0, 3, 4, 7)}
    state = read_state(only_folder(tmp_path / "checkpoints"))
    assert (state["status"], state["epochs"]) == ("finished", 7)

    again = train_by_plan(CONFIG, "again", FALLS)
    assert "already trained to step 42" in again.log


@pytest.mark.parametrize("kill_at", [1, 20, 41, 42])
def test_resumed_it_stops_at_the_same_step(train_by_plan, tmp_path, kill_at):
    train_by_plan(CONFIG, "whole", FALLS, checkpoints="whole.checkpoints")
    config = CONFIG.model_copy(update={"checkpoint_seconds": 0.0})
    train_by_plan(config, "never", FALLS, code=-signal.SIGKILL, kill_at=kill_at)
    resumed = train_by_plan(CONFIG, "resumed", FALLS)
    assert resumed.events("done")[-1:] in ([42], []), "nothing where all was done"
    folders = [only_folder(tmp_path / name) for name in ("whole.checkpoints", "checkpoints")]
    assert_same_training(*folders)
    assert len({(folder / KIDS).read_bytes() for folder in folders}) == 1


def test_more_patience_goes_on_as_if_it_had_been_given_at_first(train_by_plan, tmp_path):
    longer = CONFIG.model_copy(update={"patience": 5})
    train_by_plan(longer, "whole", FALLS, checkpoints="whole.checkpoints")
    train_by_plan(CONFIG, "first", FALLS)
    second = train_by_plan(longer, "second", FALLS)
    assert second.events("from") == [42]
    assert second.events("done")[-1] == 54
    assert_same_training(*(only_folder(tmp_path / c) for c in ("whole.checkpoints", "checkpoints")))


def test_patience_that_was_off_meanwhile_begins_with_the_snapshots_that_are_left(
    train_by_plan, tmp_path
):
    """That of epoch 3, which gained last, is not among them."""
    patient = {"patience": 10}
    for changes in (patient | {"epochs": 5}, {"patience": 0, "epochs": 10}, patient):
        train_by_plan(CONFIG.model_copy(update=changes), "training", FALLS)
    rows = read_json_lines(tmp_path / "training" / KIDS)
    assert [(row["epoch"], row["gain"]) for row in rows] == [(0, True), (10, True)]


def test_several_small_steps_are_a_gain(train_by_plan, tmp_path):
    config = CONFIG.model_copy(update={"patience": 10})
    slowly = [0.9, None, 0.5, None, 0.495, None, 0.489, None, 0.483, None, 0.47, None]
    train_by_plan(config, "training", slowly)
    rows = read_json_lines(tmp_path / "training" / KIDS)
    assert [(row["epoch"], row["gain"]) for row in rows] == [
        (0, True), (2, True), (4, False), (6, True), (8, False), (10, True)
    ]  # fmt: skip


@pytest.mark.parametrize("apart", [1, 2, 3])
@pytest.mark.parametrize("patience", [1, 4, 9, 10, 19, 20])
def test_snapshots_are_scored_five_times_in_a_patience_at_most(patience, apart, tmp_path):
    config = CONFIG.model_copy(update={"patience": patience, "snapshot_epochs": apart})
    own = Patience(FollowerFolder(tmp_path, {}), tmp_path, config, 0)
    due = [epoch for epoch in range(1, patience + 1) if own.is_due(epoch)]
    assert len(due) <= 5
    assert all(epoch % apart == 0 for epoch in due)
    assert own.spared() == set(), "who scores nothing spares no snapshot"
    own.close()


@pytest.mark.parametrize(
    ("kids", "said"),
    [
        ([0.9, 0.5, None], "ended with 1: no memory is left"),
        ([0.9, "0.5"], "ended with 0: it said nothing"),
    ],
    ids=["while it answers", "while it waits"],
)
def test_a_process_that_fails_is_told_and_the_training_goes_on_from_there(
    train_by_plan, kids, said
):
    training = train_by_plan(CONFIG, "never", kids, code=1)
    assert (
        f"epoch-0002.keras for train.patience (=3), by a process that {said}; "
        "begin the same run again, which goes on"
    ) in training.log
    assert "Traceback" not in training.log
    resumed = train_by_plan(CONFIG, "training", FALLS)
    assert resumed.events("done")[-1] == 42


def test_the_real_process_scores_real_snapshots(start, tmp_path):
    config = CONFIG.model_copy(update={"epochs": 2})
    training = start(config, code=BY_FEW_SAMPLES)
    assert training.wait() == 0, training.log
    rows = read_json_lines(tmp_path / "training" / KIDS)
    assert [row["epoch"] for row in rows] == [0, 1]
    for row in rows:
        assert 0 < row["kid_interval"] < row["kid"]
        assert f"snapshot of epoch {row['epoch']}: KID {row['kid']:.3f}" in training.log


@pytest.fixture
def save(tmp_path):
    """Save a generator of pictures that are about one level of red, as epoch's snapshot."""

    def save(epoch, level):
        latents = keras.Input([8])
        pixels = keras.layers.Dense(
            32 * 32 * 3,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.02, seed=0),
            bias_initializer=keras.initializers.Constant(level),
        )(latents)
        images = keras.layers.Reshape([32, 32, 3])(pixels)
        path = tmp_path / epoch_file(epoch, ".keras")
        keras.Model(latents, images).save(path)
        return str(path)

    return save


def test_a_gain_is_a_kid_that_is_lower_by_more_than_chance(make_records, save):
    levels = np.random.default_rng(0).integers(120, 136, [24, 32, 32, 3], np.uint8)
    scored = SnapshotKid(make_records(train=levels), 24)
    black, dark, alike, broken = (save(e, v) for e, v in enumerate((-1, -0.5, -0.501, np.nan)))
    first = scored.of(black, None)
    assert first["gain"]
    assert first["kid_interval"] > 0
    found = scored.of(dark, black)
    assert found["kid"] < first["kid"]
    assert found["gain"]
    assert not scored.of(black, dark)["gain"]
    assert not scored.of(alike, dark)["gain"]
    assert not scored.of(dark, alike)["gain"]
    assert scored.of(broken, dark) == {"kid": None, "kid_interval": None, "gain": False}
    assert scored.of(dark, broken)["gain"]
