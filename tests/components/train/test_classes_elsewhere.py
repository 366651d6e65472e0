"""Trainings of pictures that have classes, by replicas, resumed, and with patience."""

import signal

import numpy as np
import pytest

from components.shared.contracts import KIDS
from components.shared.files import read_json_lines
from components.train.snapshot_kid import SnapshotKid
from tests.components.evaluate.labelled import labelled_generator
from tests.components.train import test_distribution, test_patience
from tests.components.train.conftest import assert_same_training, only_folder
from tests.components.train.test_classes import CONFIG, LABELS

MIXED = np.random.default_rng(1).permutation(LABELS).tolist()


@pytest.fixture
def inputs(transform_graph, make_records, random_images):
    """Three classes that do not stand in order, so that who mixes up rows is found out."""
    records = make_records(labels={"train": MIXED}, train=random_images)
    return records, transform_graph(random_images)


def test_two_devices_train_like_one(start, inputs, tmp_path):
    two = start(test_distribution.CONFIG, "two", "two-state", code=test_distribution.TWO_DEVICES)
    assert two.wait() == 0, two.log
    assert "2 replicas" in two.log
    test_distribution.assert_same_training(inputs, tmp_path, "two", "two-state")


def test_two_hosts_train_like_one(start, inputs, tmp_path):
    hosts = test_distribution.start_hosts(start, {}, {})
    assert [host.wait() for host in hosts] == [0, 0], hosts[0].log + hosts[1].log
    test_distribution.assert_same_training(inputs, tmp_path, "host0", "hosts-state")


@pytest.mark.parametrize("class_draws", ["natural", "balanced"])
def test_killed_within_an_epoch_it_goes_on_to_the_bit(start, tmp_path, class_draws):
    config = CONFIG.model_copy(update={"class_draws": class_draws})
    whole = start(config, "whole", "whole.checkpoints")
    assert whole.wait() == 0, whole.log
    killed = start(config, "never", checkpoint_at=5, kill_at=7)
    assert killed.wait() == -signal.SIGKILL, killed.log
    resumed = start(config, "resumed")
    assert resumed.wait() == 0, resumed.log
    assert resumed.events("from") == [5]
    assert_same_training(*(only_folder(tmp_path / c) for c in ("whole.checkpoints", "checkpoints")))


def test_snapshots_are_scored_while_it_trains(start, tmp_path):
    config = CONFIG.model_copy(update={"epochs": 2, "patience": 3, "snapshot_epochs": 1})
    training = start(config, code=test_patience.BY_FEW_SAMPLES)
    assert training.wait() == 0, training.log
    rows = read_json_lines(tmp_path / "training" / KIDS)
    assert [row["epoch"] for row in rows] == [0, 1]
    assert all(0 < row["kid_interval"] < row["kid"] for row in rows)


def test_snapshots_draw_classes_by_their_shares(make_records, tmp_path):
    """Bright pictures are of a class that has no share: who draws it is far from the others."""
    levels = np.random.default_rng(0).integers(20, 40, [24, 32, 32, 3], np.uint8)
    records = make_records(
        labels={"train": [0] * 24, "eval": [1]}, train=levels, eval=levels[:1] + 200
    )
    kids = []
    for number, banks in enumerate([[levels, levels + 200], [levels + 200, levels]]):
        path = str(tmp_path / f"epoch-000{number}.keras")
        labelled_generator(banks).save(path)
        kids.append(SnapshotKid(records, 24).of(path, None)["kid"])
    assert kids[0] < 0.1 < kids[1]
