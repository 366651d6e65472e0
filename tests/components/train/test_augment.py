import numpy as np
import pytest
import tensorflow as tf

from components.train.augment import augment

SEED = tf.constant([5, 6], tf.int64)


@pytest.fixture
def images():
    return tf.random.stateless_uniform([8, 32, 32, 3], [0, 0], -1, 1)


def test_nothing_asked_nothing_changed(images):
    assert augment(images, (), SEED) is images


@pytest.mark.parametrize("kind", ["color", "translation"])
def test_changes_are_a_function_of_the_seed(images, kind):
    first = augment(images, [kind], SEED)
    np.testing.assert_array_equal(first, augment(images, [kind], SEED))
    assert np.any(first != augment(images, [kind], SEED + 1))
    assert np.any(first != images)


def test_translation_shifts_each_picture_and_fills_with_zero(images):
    shifted = augment(images, ["translation"], SEED).numpy()
    found = set()
    for before, after in zip(images.numpy(), shifted, strict=True):
        padded = np.pad(before, [(4, 4), (4, 4), (0, 0)])
        matches = [
            (dy, dx)
            for dy in range(9)
            for dx in range(9)
            if np.array_equal(padded[dy : dy + 32, dx : dx + 32], after)
        ]
        assert len(matches) == 1
        found.update(matches)
    assert len(found) > 1, "each picture has a shift of its own"


def test_gradients_pass_through_to_the_picture(images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(augment(images, ["color", "translation"], SEED) ** 2)
    gradient = tape.gradient(total, images)
    assert np.all(np.isfinite(gradient))
    assert np.all(np.abs(gradient).max(axis=(1, 2, 3)) > 0)


def test_each_picture_is_augmented_for_itself(images):
    """The generator's gradient is scaled per picture, so none may touch another."""
    changed = tf.concat([images[:1] * 0, images[1:]], axis=0)
    kinds = ["color", "translation"]
    np.testing.assert_array_equal(
        augment(images, kinds, SEED)[1:], augment(changed, kinds, SEED)[1:]
    )
