from typing import get_args

import numpy as np
import pytest
import tensorflow as tf

from components.train.augment import augment, flip
from components.train.config import Augmentation

SEED = tf.constant([5, 6], tf.int64)
KINDS = get_args(Augmentation)


@pytest.fixture
def images():
    return tf.random.stateless_uniform([8, 32, 32, 3], [0, 0], -1, 1)


def test_nothing_asked_nothing_changed(images):
    assert augment(images, (), SEED) is images


@pytest.mark.parametrize("kind", KINDS)
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


def test_color_shifts_brightness_then_scales_saturation_then_contrast(images):
    """As the paper's own code, one change after the other."""
    draws = tf.random.stateless_uniform([3, 8, 1, 1, 1], SEED)
    expected = images + (draws[0] - 0.5)
    grey = tf.reduce_mean(expected, axis=3, keepdims=True)
    expected = (expected - grey) * (2 * draws[1]) + grey
    mean = tf.reduce_mean(expected, axis=[1, 2, 3], keepdims=True)
    expected = (expected - mean) * (draws[2] + 0.5) + mean
    np.testing.assert_allclose(augment(images, ["color"], SEED), expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_that_of_finite_differences(images, kind):
    """All changes are affine, so that a difference is exact up to rounding."""
    weights = tf.random.stateless_normal(images.shape, [0, 1])
    direction = tf.random.stateless_normal(images.shape, [0, 2])
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(weights * augment(images, [kind], SEED), axis=[1, 2, 3])
    slope = tf.reduce_sum(tape.gradient(total, images) * direction, axis=[1, 2, 3])
    moved = augment(images + direction, [kind], SEED) - augment(images, [kind], SEED)
    expected = tf.reduce_sum(weights * moved, axis=[1, 2, 3])
    np.testing.assert_allclose(slope, expected, rtol=1e-3, atol=1e-2)


def test_gradients_pass_through_to_the_picture(images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(augment(images, KINDS, SEED) ** 2)
    gradient = tape.gradient(total, images)
    assert np.all(np.isfinite(gradient))
    assert np.all(np.abs(gradient).max(axis=(1, 2, 3)) > 0)


def test_each_picture_is_augmented_for_itself(images):
    """The generator's gradient is scaled per picture, so none may touch another."""
    changed = tf.concat([images[:1] * 0, images[1:]], axis=0)
    np.testing.assert_array_equal(
        augment(images, KINDS, SEED)[1:], augment(changed, KINDS, SEED)[1:]
    )


def test_cutout_takes_a_square_of_half_the_side_that_may_hang_over_the_border():
    images = tf.ones([400, 32, 32, 3])
    cut = augment(images, ["cutout"], SEED).numpy() == 0
    np.testing.assert_array_equal(cut[..., :1], cut[..., 1:2])
    starts = []
    for mask in cut[..., 0]:
        sides = [np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1)]
        for side in sides:
            assert np.array_equal(side, np.arange(side[0], side[-1] + 1))
            whole = side[0] > 0 and side[-1] < 31
            assert len(side) == 16 if whole else 8 <= len(side) <= 16
            starts.append(side[-1] - 15 if side[0] == 0 else side[0])
        assert mask.sum() == len(sides[0]) * len(sides[1])
    counts = np.bincount(np.array(starts) + 8, minlength=33)
    assert len(counts) == 33, "the centre is anywhere from border to border"
    assert counts.min() > 5, "and everywhere about equally often"
    assert counts.max() < 60


def test_cutout_keeps_the_rest_and_its_gradient():
    images = tf.random.stateless_uniform([8, 32, 32, 3], [0, 0], 0.5, 1)
    with tf.GradientTape() as tape:
        tape.watch(images)
        cut = augment(images, ["cutout"], SEED)
        total = tf.reduce_sum(cut * 3)
    kept = cut.numpy() != 0
    np.testing.assert_array_equal(cut.numpy()[kept], images.numpy()[kept])
    np.testing.assert_array_equal(tape.gradient(total, images), 3.0 * kept)


def test_flip_mirrors_about_half_of_the_pictures():
    images = tf.random.stateless_uniform([400, 8, 8, 3], [0, 0], -1, 1)
    flipped = flip(images, SEED).numpy()
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(flipped, images, strict=True)]
    kept = [np.array_equal(a, b) for a, b in zip(flipped, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 150 < sum(mirrored) < 250
    np.testing.assert_array_equal(flipped, flip(images, SEED))
    assert np.any(flipped != flip(images, SEED + 1))
