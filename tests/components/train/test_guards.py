"""Trainings that are lost, and trainings that only look like it, on the demo's faces."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.ingest.config import IngestConfig
from components.ingest.step import ingest
from components.shared.errors import TrainingStopped
from components.shared.normalization import to_pixels
from components.shared.pixels import normalize
from components.shared.records import decode_images, load_images
from components.train import guards
from components.train.config import TrainConfig
from components.train.guards import check_epochs, diversity, spread, spread_of_data
from components.train.networks import build_generator
from components.train.trainer import SIGNS, Trainer
from pipeline.config import load_config

FACES = Path(__file__).parents[3] / "pipeline" / "demo" / "faces_cc0_1000.zip"
SIDE = 32
HEALTHY = {"real_logit": 0.6, "fake_logit": -0.5, "diversity": 0.9}
WON = {"real_logit": 8.0, "fake_logit": -6.0, "diversity": 0.1}
WON_BY_HINGE = {"real_logit": 5.2, "fake_logit": -3.7, "diversity": 0.18}
COLLAPSED = {"real_logit": 0.6, "fake_logit": -0.5, "diversity": 0.04}
EXPLODED = {"real_logit": -1454.0, "fake_logit": -1.9e5, "diversity": 0.9}
EXPLODED_ON_REAL = {"real_logit": 120.0, "fake_logit": -2.0, "diversity": 0.9}
# As measured at full width by the seed profile, while faces appeared.
WON_AND_LEARNS = {"real_logit": 8.4, "fake_logit": -7.7, "diversity": 0.40}
CONFIG = TrainConfig()


def curve(*parts, steps_per_epoch=100):
    """Rows of `metrics.jsonl` from (sign, epochs) in turn."""
    signs = itertools.chain.from_iterable([sign] * epochs for sign, epochs in parts)
    return [
        {"epoch": epoch, "step": epoch * steps_per_epoch, **sign}
        for epoch, sign in enumerate(signs, start=1)
    ]


def stopping_epoch(rows, config=CONFIG):
    """The epoch after which a training is stopped, and why; None if it is not."""
    for count in range(1, len(rows) + 1):
        try:
            check_epochs(rows[:count], config)
        except TrainingStopped as error:
            return rows[count - 1]["epoch"], str(error)
    return None


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        (WON, "the discriminator has won (mean logit 8.0 on real pictures, -6.0 on fakes, "),
        (WON_BY_HINGE, "the discriminator has won (mean logit 5.2 on real pictures, -3.7 on "),
        (COLLAPSED, "the samples have collapsed (their diversity is 0.040 of the data's)"),
        (EXPLODED, "logits have exploded (mean -1454 on real pictures, -1.9e+05 on fakes)"),
        (EXPLODED_ON_REAL, "logits have exploded (mean 120 on real pictures, -2 on fakes)"),
    ],
)
def test_sign_that_lasts_stops_a_training_that_was_well(sign, text):
    rows = curve((HEALTHY, 30), (sign, 30))
    epoch, message = stopping_epoch(rows)
    assert epoch == 35
    assert text in message
    assert "in each of 5 epochs, from epoch 31 to 35 (step 3500): lower train." in message
    assert message.endswith("train.guard_epochs=0 trains on regardless")
    assert "\n" not in message


def test_message_has_the_values_to_change():
    config = TrainConfig(generator_beta_1=0.99, discriminator_learning_rate=0.01)
    _, message = stopping_epoch(curve((WON, 30)), config)
    assert "train.generator_beta_1 (=0.99)" in message
    assert "train.discriminator_learning_rate (=0.01)" in message
    assert "train.r1_weight (=0)" in message


@pytest.mark.parametrize(("sign", "epoch"), [(WON, 20), (COLLAPSED, 20), (EXPLODED, 5)])
def test_slow_start_is_given_time(sign, epoch):
    assert stopping_epoch(curve((sign, 30)))[0] == epoch
    assert stopping_epoch(curve((sign, 4), (HEALTHY, 30))) is None


def test_average_that_follows_late_is_given_more_time():
    config = TrainConfig(ema_half_life=5000, batch_size=10)
    assert stopping_epoch(curve((COLLAPSED, 40)), config)[0] == 30


@pytest.mark.parametrize("sign", [HEALTHY, WON_AND_LEARNS])
def test_what_can_end_well_is_not_stopped(sign):
    assert stopping_epoch(curve((sign, 100))) is None


def test_sign_must_show_in_every_epoch():
    spells = [(WON, 4), (HEALTHY, 1)] * 10
    assert stopping_epoch(curve((HEALTHY, 30), *spells)) is None


def test_short_epochs_count_by_their_steps_and_long_ones_one_by_one():
    assert stopping_epoch(curve((HEALTHY, 80), (WON, 80), steps_per_epoch=25))[0] == 100
    assert stopping_epoch(curve((HEALTHY, 2), (WON, 80), steps_per_epoch=2000))[0] == 7


def test_number_of_epochs_is_a_knob_and_0_is_off():
    rows = curve((HEALTHY, 30), (WON, 30))
    assert stopping_epoch(rows, TrainConfig(guard_epochs=8))[0] == 38
    assert stopping_epoch(rows, TrainConfig(guard_epochs=0)) is None


def test_resumed_training_stops_at_the_same_epoch():
    rows = curve((HEALTHY, 30), (WON, 30))
    epoch, message = stopping_epoch(rows)
    lines = [json.dumps(row) for row in rows[: epoch - 2]]
    resumed = [*map(json.loads, lines), *rows[epoch - 2 :]]
    assert stopping_epoch(resumed) == (epoch, message)


def test_spread_is_that_of_the_tiles():
    """Worked by hand: two flat pictures 100 apart; noise within a tile does not count."""
    pictures = np.zeros([2, SIDE, SIDE, 3], np.uint8)
    pictures[0] = 100
    assert spread(pictures) == 50
    checkerboard = np.indices([SIDE, SIDE]).sum(axis=0) % 2 * 255
    pictures = np.stack([checkerboard, 255 - checkerboard]).astype(np.uint8)
    assert spread(np.repeat(pictures[..., np.newaxis], 3, axis=-1)) == 0


def test_diversity_is_relative_to_the_data(faces):
    data_spread = spread_of_data([face.tobytes() for face in faces], SIDE)
    assert diversity(faces, data_spread) == pytest.approx(1)
    assert diversity(faces[:16], data_spread) == pytest.approx(1, abs=0.15)
    assert diversity(np.repeat(faces[:1], 16, axis=0), data_spread) == 0
    halfway = (faces.astype(int) + faces[0].astype(int)) // 2
    assert diversity(halfway.astype(np.uint8), data_spread) == pytest.approx(0.5, abs=0.01)


def test_data_without_diversity_asks_for_none(faces):
    assert diversity(faces, spread_of_data([faces[0].tobytes()] * 5, SIDE)) == 1


def test_spread_of_much_data_is_that_of_a_thousand_spread_evenly(faces):
    """One picture in ten here is white, ten times as many as there are to look at."""
    black, white = (np.full([SIDE, SIDE, 3], value, np.uint8).tobytes() for value in (0, 255))
    read = []

    class Pictures(list):
        def __getitem__(self, number):
            read.append(number)
            return super().__getitem__(number)

    found = spread_of_data(Pictures([black] * 9001 + [white] * 1000), SIDE)
    assert len(read) <= guards._PICTURES
    assert found == pytest.approx(255 * np.sqrt(0.1 * 0.9), rel=0.02)


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """The demo's training pictures, uint8 [800, 32, 32, 3]."""
    records = tmp_path_factory.mktemp("faces") / "records"
    ingest(str(FACES), records, IngestConfig(image_size=SIDE, eval_share=0.2))
    return decode_images(load_images(records, "train"), SIDE)


def recipe(profile, times_rate=1.0, **changes):
    """A profile's configuration, with narrower networks."""
    settings = load_config(profile).train
    rates = ("generator_learning_rate", "discriminator_learning_rate")
    faster = {name: min(getattr(settings, name) * times_rate, 1.0) for name in rates}
    return settings.model_copy(
        update={"base_width": 64, "precision": "float32", **faster, **changes}
    )


def rows_of(faces, config, steps):
    """Train, and give what each epoch records."""
    trainer, sampler = Trainer(config, SIDE), build_generator(config, SIDE)
    data_spread = spread_of_data([face.tobytes() for face in faces], SIDE)
    steps_per_epoch = len(faces) // config.batch_size
    for epoch in range(1, steps // steps_per_epoch + 1):
        order = np.random.default_rng(epoch).permutation(len(faces))
        for index in range(steps_per_epoch):
            chosen = faces[order[index * config.batch_size :][: config.batch_size]]
            real = tf.constant(normalize(chosen.astype(np.float32)))
            trainer.train_step(real, config.r1_weight > 0 and index % config.r1_interval == 0)
        signs = (trainer.sums.numpy() / steps_per_epoch).tolist()
        trainer.sums.assign(tf.zeros_like(trainer.sums))
        sampler.set_weights(trainer.sampler_weights())
        samples = to_pixels(sampler(trainer.sheet.latents, training=False)).numpy()
        yield {
            "epoch": epoch, "step": epoch * steps_per_epoch,
            **dict(zip(SIGNS, signs, strict=True)), "diversity": diversity(samples, data_spread),
        }  # fmt: skip


BETA_1 = {"generator_beta_1": 0.99, "discriminator_beta_1": 0.99}
STEPS = 2400


@pytest.mark.parametrize(
    ("config", "sign"),
    [
        (recipe("seed", 100), "exploded"),
        (recipe("demo", 100), "exploded"),
        (recipe("seed", **BETA_1), "has won"),
    ],
    ids=["seed, rates ×100", "demo, rates ×100", "seed, beta_1 .99"],
)
def test_lost_training_is_stopped(faces, config, sign):
    rows = []
    with pytest.raises(TrainingStopped, match=sign):
        for row in rows_of(faces, config, STEPS):
            rows.append(row)
            check_epochs(rows, config)


def test_training_that_goes_well_is_not_stopped(faces):
    config = recipe("seed")
    rows = list(rows_of(faces, config, STEPS))
    assert rows[-1]["step"] == STEPS
    assert stopping_epoch(rows, config) is None
    assert rows[-1]["diversity"] > 0.5
