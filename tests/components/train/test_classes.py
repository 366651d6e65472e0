"""Trainings of pictures that have classes."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.shared.classes import Classes
from components.shared.files import read_json
from components.shared.generators import CLASS_LATENTS, class_count, images_of, latent_size
from components.shared.normalization import to_pixels
from components.shared.pictures import grid
from components.train import fused_layers
from components.train.batches import batches, load_labels, open_pictures
from components.train.class_layers import CLASS
from components.train.config import TrainConfig
from components.train.networks import Discriminator, build_generator, generator_weights
from components.train.step import train
from components.train.trainer import Trainer, sheet_of
from components.train.warm_start import start_from
from tests.components.train.conftest import assert_same_results, save_model, weights_of

CONFIG = TrainConfig(
    epochs=3, batch_size=8, base_width=16, latent_size=8, precision="float32", ema_half_life=50
)
CLASSES = Classes(("blue", "red", "green"), (4, 12, 8))
LABELS = np.repeat([0, 1, 2], CLASSES.counts).tolist()


@pytest.fixture
def inputs(transform_graph, make_records, random_images):
    return make_records(labels={"train": LABELS}, train=random_images), transform_graph(
        random_images
    )


def run(inputs, tmp_path, name="training", config=CONFIG):
    return train(*inputs, tmp_path / name, tmp_path / f"{name}.checkpoints", "code", config)


def test_fresh_layers_of_classes_only_move_the_latents():
    """As if others had been drawn, so that layers of a model without classes can be taken."""
    config = CONFIG.model_copy(update={"palette": 8})
    plain, ours = build_generator(config, 32), build_generator(config, 32, classes=3)
    there = generator_weights(plain)
    for name, weight in generator_weights(ours).items():
        if not name.startswith(CLASS):
            weight.assign(there[name])
    latents, labels = tf.random.stateless_normal([3, 8], [0, 1]), [2, 0, 1]
    vectors = ours.get_layer(CLASS_LATENTS).get_weights()[0]
    moved = (latents + vectors[labels]) / np.sqrt(2)
    drawn = images_of(ours, latents, tf.constant(labels))
    np.testing.assert_allclose(drawn, images_of(plain, moved), atol=1e-6)
    of_many = build_generator(config, 32, classes=1000).get_layer(CLASS_LATENTS)
    assert np.std(of_many.get_weights()[0]) == pytest.approx(1, abs=0.05)


def test_layers_for_training_draw_as_those_that_are_saved(tmp_path):
    trainer = Trainer(CONFIG, 32, classes=CLASSES)
    for name, weight in generator_weights(trainer.generator).items():
        if name.startswith(CLASS):
            weight.assign_add(tf.random.stateless_normal(weight.shape, [1, len(name)]))
    saved = build_generator(CONFIG, 32, classes=3)
    saved.set_weights(trainer.generator.get_weights())
    saved.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras", compile=False)
    assert all(type(layer).__module__.startswith("keras.") for layer in loaded.layers)
    assert (class_count(loaded), latent_size(loaded)) == (3, 8)
    latents, labels = tf.random.stateless_normal([3, 8], [0, 1]), tf.constant([2, 0, 1])
    np.testing.assert_allclose(
        images_of(loaded, latents, labels), images_of(trainer.generator, latents, labels), atol=1e-5
    )
    assert not np.allclose(
        images_of(loaded, latents, labels), images_of(loaded, latents, labels * 0)
    )
    assert fused_layers.Embedding in map(type, trainer.generator.layers)


def test_a_logit_adds_that_of_the_class_of_the_picture():
    """The product of features, averaged over the picture, and a vector of the class."""
    discriminator = Discriminator(CONFIG, 32, classes=3)
    images = tf.random.stateless_uniform([4, 32, 32, 3], [0, 1], -1, 1)
    labels = tf.constant([0, 2, 1, 2])
    kernel = discriminator.named_weights()["class_logits/kernel"]
    before = discriminator(images, labels)
    kernel.assign_add(np.eye(kernel.shape[0], 3, dtype=np.float32))  # its n-th channel, of class n
    added = (discriminator(images, labels) - before).numpy()[:, 0]
    kernel.assign(np.zeros(kernel.shape))
    assert added.shape == (4,)
    assert np.abs(added).min() > 0
    one = (discriminator(images[1:2], labels[1:2])).numpy()
    np.testing.assert_allclose(one, discriminator(images, labels)[1:2], rtol=1e-5)


def test_a_class_learns_its_own_look():
    """Dark pictures of one class, bright ones of the other: the generator tells them apart."""
    rates = {"generator_learning_rate": 2e-3, "discriminator_learning_rate": 2e-3}
    others = {"generator_beta_1": 0.5, "r1_weight": 1.0, "ema_half_life": 0}
    config = CONFIG.model_copy(update=rates | others)
    classes = Classes(("dark", "bright"), (1, 1))
    trainer = Trainer(config, 32, classes=classes)
    labels = tf.constant([0, 1] * 4)
    levels = tf.reshape(tf.where(labels == 0, -0.8, 0.8), [-1, 1, 1, 1])
    for step in range(150):
        noise = tf.random.stateless_uniform([8, 32, 32, 3], [step, 0], -0.1, 0.1)
        trainer.train_step(levels + noise, step % 8 == 0, labels)
    latents = tf.random.stateless_normal([16, 8], [0, 1])
    dark, bright = (
        tf.reduce_mean(images_of(trainer.generator, latents, tf.fill([16], label)))
        for label in (0, 1)
    )
    assert dark < -0.3
    assert bright > 0.3


def test_sheet_has_a_row_a_class_and_the_same_latents_in_each(inputs, tmp_path):
    summary = run(inputs, tmp_path)
    assert [one["name"] for one in summary["data"]["classes"]] == ["class 0", "class 1", "class 2"]
    sheet = sheet_of(CONFIG, CLASSES)
    assert sheet.columns == 5
    assert sheet.labels.numpy().reshape(3, 5)[:, 0].tolist() == [1, 2, 0]  # the largest first
    rows = sheet.latents.numpy().reshape(3, 5, 8)
    np.testing.assert_array_equal(rows[0], rows[2])
    generator = keras.models.load_model(tmp_path / "training/snapshots/epoch-0003.keras")
    pixels = to_pixels(images_of(generator, sheet.latents, sheet.labels)).numpy()
    with Image.open(tmp_path / "training/sheets/epoch-0003.png") as saved:
        np.testing.assert_array_equal(np.asarray(saved), grid(pixels, 5))


def test_many_classes_show_the_largest():
    many = Classes(tuple(map(str, range(40))), tuple(range(1, 41)))
    sheet = sheet_of(CONFIG, many)
    assert sheet.labels.shape == (8 * 4,)
    assert sheet.labels.numpy()[::4].tolist() == [*range(39, 31, -1)]


def test_a_training_goes_on_to_the_bit(inputs, tmp_path):
    run(inputs, tmp_path)
    for epochs in (1, 3):
        part = CONFIG.model_copy(update={"epochs": epochs})
        train(*inputs, tmp_path / f"part{epochs}", tmp_path / "checkpoints", "code", part)
    assert read_json(tmp_path / "part3/training.json")["resumed_from_step"] == 3
    assert_same_results(tmp_path / "training", tmp_path / "part3")


def given(records, config, first_step=0):
    """Numbers of the pictures and labels: int [steps, B], [steps, B]."""
    manifest = read_json(records / "manifest.json")
    with open_pictures(records, manifest, config) as pictures:
        labels = load_labels(records, manifest)
        shown = [*batches(pictures, lambda raw: raw, config, first_step, labels=labels)]
    order = {picture: number for number, picture in enumerate(pictures)}
    numbers = [[order[raw] for raw in batch.images.numpy()] for batch in shown]
    return np.array(numbers), np.array([batch.labels for batch in shown])


def test_each_picture_comes_with_its_own_class(inputs):
    numbers, labels = given(inputs[0], CONFIG)
    np.testing.assert_array_equal(np.array(LABELS)[numbers], labels)
    assert sorted(numbers[:3].ravel()) == [*range(24)]


def test_balanced_draws_show_all_classes_alike(inputs):
    config = CONFIG.model_copy(update={"class_draws": "balanced", "epochs": 100})
    numbers, labels = given(inputs[0], config)
    np.testing.assert_array_equal(np.array(LABELS)[numbers], labels)
    shares = np.bincount(labels.ravel()) / labels.size
    np.testing.assert_allclose(shares, 1 / 3, atol=0.04)  # natural ones: 1/6, 1/2, 1/3
    within = np.bincount(numbers.ravel(), minlength=24)
    assert within.min() > 0
    assert within[:4].min() > within[4:16].max()  # those of the small class come more often
    resumed, _ = given(inputs[0], config, first_step=4)
    np.testing.assert_array_equal(resumed, numbers[4:])


@pytest.mark.parametrize("class_draws", ["natural", "balanced"])
def test_a_class_without_pictures_is_not_shown(
    make_records, transform_graph, random_images, tmp_path, class_draws
):
    labels = np.array(LABELS) * 2  # 0, 2 and 4 of six
    records = make_records(
        labels={"train": labels.tolist(), "eval": [5]}, train=random_images, eval=random_images[:1]
    )
    config = CONFIG.model_copy(update={"class_draws": class_draws})
    numbers, shown = given(records, config)
    np.testing.assert_array_equal(labels[numbers], shown)
    assert {*shown.flat} == {0, 2, 4}
    run((records, transform_graph(random_images)), tmp_path, config=config)
    with Image.open(tmp_path / "training/sheets/epoch-0003.png") as sheet:
        assert sheet.height == 3 * 34 + 2


@pytest.mark.parametrize(
    ("names", "taken"),
    [(CLASSES.names, True), (CLASSES.names[::-1], False), (("a", "b", "c"), False)],
)
def test_warm_start_takes_what_it_knows_of_the_same_classes(tmp_path, names, taken):
    there = save_model(tmp_path / "dcgan/1", CONFIG, classes=CLASSES)
    trainer = Trainer(CONFIG, 32, classes=CLASSES)
    before = weights_of(trainer)
    start_from(f"{tmp_path}/dcgan", trainer, Classes(names, CLASSES.counts))
    for name, array in weights_of(trainer).items():
        expected = there if taken or not name.startswith(CLASS) else before
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_warm_start_takes_nothing_of_another_number_of_classes(tmp_path):
    there = save_model(tmp_path / "dcgan/1", CONFIG, classes=CLASSES)
    more = Classes((*CLASSES.names, "more"), (*CLASSES.counts, 3))
    trainer = Trainer(CONFIG, 32, classes=more)
    before = weights_of(trainer)
    start_from(f"{tmp_path}/dcgan", trainer, more)
    for name, array in weights_of(trainer).items():
        expected = before if name.startswith(CLASS) else there
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_warm_start_of_a_model_without_classes_takes_all_its_layers(tmp_path):
    """Those of classes are as fresh ones, which change nothing at first."""
    there = save_model(tmp_path / "dcgan/1", CONFIG)
    trainer = Trainer(CONFIG, 32, classes=CLASSES)
    before = weights_of(trainer)
    origin = start_from(f"{tmp_path}/dcgan", trainer, CLASSES)
    fresh = {name for name, array in weights_of(trainer).items() if name not in there}
    assert fresh
    for name, array in weights_of(trainer).items():
        expected = before if name in fresh else there
        np.testing.assert_array_equal(array, expected[name], err_msg=name)
    layers = origin["generator"]["fresh"] + origin["discriminator"]["fresh"]
    assert {name.partition("/")[0] for name in fresh} == {*layers}
    assert all(layer.startswith(CLASS) for layer in layers)


def test_warm_start_without_classes_takes_the_other_layers(tmp_path):
    there = save_model(tmp_path / "dcgan/1", CONFIG, classes=CLASSES)
    trainer = Trainer(CONFIG, 32)
    start_from(f"{tmp_path}/dcgan", trainer)
    for name, array in weights_of(trainer).items():
        np.testing.assert_array_equal(array, there[name], err_msg=name)
