"""The choice of a snapshot: which rungs there are, and what they come to."""

from typing import ClassVar

import keras
import numpy as np
import pytest

from components.evaluate.config import EvaluateConfig
from components.evaluate.halving import choose_snapshot, plan_rungs
from components.metrics.feature_set import FeatureSet
from components.shared.contracts import epoch_file


@pytest.mark.parametrize(
    ("snapshots", "samples", "rungs"),
    [
        (1, 1000, []),
        (2, 1000, [(2, 250)]),
        (4, 1000, [(4, 250)]),
        (5, 1000, [(5, 250)]),
        (5, 4000, [(5, 800)]),
        (6, 4000, [(6, 250), (2, 800)]),
        (10, 10_000, [(10, 400), (2, 2000)]),
        (26, 100_000, [(26, 800), (6, 4000), (2, 20_000)]),
        (8, 400, [(8, 250)]),
        (8, 32, [(8, 32)]),
    ],
)
def test_each_rung_keeps_a_fifth_and_has_five_times_the_samples(snapshots, samples, rungs):
    assert plan_rungs(snapshots, samples) == rungs


def test_ten_snapshots_take_less_than_a_fifth_of_the_samples_of_scoring_all():
    samples, drawn = 10_000, 0
    in_all = samples  # of the one that is chosen, to be scored
    for snapshots, each in plan_rungs(10, samples):
        in_all += snapshots * (each - drawn)
        drawn = each
    assert in_all <= 10 * samples / 5


class Flat:
    """Pixels are features; counts what it describes."""

    description: ClassVar = {"name": "pixels"}

    def __init__(self):
        self.described = 0

    def __call__(self, pictures):
        self.described += len(pictures)
        return (pictures.reshape(len(pictures), -1) / 255).astype(np.float32)


@pytest.fixture
def save(tmp_path):
    """Save generators of 2×2 pictures about a level each, as the snapshots of epochs 0, 1, …."""

    def save(*levels):
        paths = []
        for epoch, level in enumerate(levels):
            latents = keras.Input([12])
            pixels = keras.layers.Rescaling(0.1, level)(latents)
            generator = keras.Model(latents, keras.layers.Reshape([2, 2, 3])(pixels))
            paths.append(tmp_path / epoch_file(epoch, ".keras"))
            generator.save(paths[-1])
        return paths

    return save


@pytest.fixture
def training():
    """Features of pictures about the level 0."""
    pixels = np.random.default_rng(7).normal(0.5, 0.05, [300, 12])
    return FeatureSet(pixels.astype(np.float32), CONFIG.neighbours)


CONFIG = EvaluateConfig(samples=1600, neighbours=3)


def test_the_best_is_found_and_the_others_cost_little(save, training):
    paths = save(0.4, 0.3, -0.2, 0.01, 0.2, 0.5)
    extractor = Flat()
    choice = choose_snapshot(paths, training, extractor, CONFIG)
    assert choice.best == paths[3]
    assert choice.rungs == [(6, 250), (2, 320)]
    assert [one["epoch"] for one in choice.looked_at] == [0, 1, 2, 3, 4, 5]
    assert [one["samples"] for one in choice.looked_at] == [250, 250, 320, 320, 250, 250]
    assert extractor.described == 4 * 250 + 2 * 320, "what was drawn before is not drawn again"


def test_of_those_that_chance_does_not_tell_apart_the_newest_is_taken(save, training):
    paths = save(0.4, 0.02, 0.0, 0.3, 0.001, 0.4)
    choice = choose_snapshot(paths, training, Flat(), CONFIG.model_copy(update={"samples": 250}))
    kids = [one["kid"] for one in choice.looked_at]
    assert np.argmin(kids) in (1, 2)
    assert choice.best == paths[4]


def test_the_last_look_is_as_if_all_samples_were_drawn_at_once(save, training):
    paths = save(0.3, 0.3, 0.3, 0.3, 0, 0.3)
    choice = choose_snapshot(paths, training, Flat(), CONFIG)
    alone = choose_snapshot(paths[3:5], training, Flat(), CONFIG)
    assert choice.looked_at[4] == alone.looked_at[1]


def test_a_snapshot_that_draws_no_numbers_comes_last(save, training):
    paths = save(*[float("nan")] * 5, 0.9)
    choice = choose_snapshot(paths, training, Flat(), CONFIG)
    assert choice.best == paths[5]
    assert choice.looked_at[5]["kid"] > 0
    for one in choice.looked_at[:5]:
        assert one["kid"] is one["kid_interval"] is None


def test_where_none_draws_numbers_one_is_taken_all_the_same(save, training):
    paths = save(float("nan"), float("nan"))
    assert choose_snapshot(paths, training, Flat(), CONFIG).best == paths[0]
