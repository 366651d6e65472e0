"""The matrix product against TensorFlow's own convolutions, with derivatives of all orders."""

import numpy as np
import pytest
import tensorflow as tf

from components.train import convolution
from components.train.convolution import convolve, convolve_transposed


@pytest.fixture(params=[3, 4, 5])
def case(request, monkeypatch):
    """Pictures, kernel and a result's gradient; every kernel counts as wide."""
    monkeypatch.setattr(convolution, "_WIDE", 0)
    size = request.param
    images = tf.random.stateless_normal([2, 8, 6, 3], [0, size])
    kernel = tf.random.stateless_normal([size, size, 3, 4], [1, size])
    upstream = tf.random.stateless_normal([2, 4, 3, 4], [2, size])
    return images, kernel, upstream


def plain(images, kernel):
    return tf.nn.conv2d(images, kernel, 2, "SAME")


def plain_transposed(images, kernel):
    return tf.nn.conv2d_transpose(images, kernel, [2, 8, 6, 3], 2, "SAME")


def derivatives(function, images, kernel, upstream):
    """The map, its gradients, and the gradients of their squared norm."""
    with tf.GradientTape() as outer:
        outer.watch([images, kernel])
        with tf.GradientTape() as inner:
            inner.watch([images, kernel])
            result = function(images, kernel)
        first = inner.gradient(result, [images, kernel], output_gradients=upstream)
        norm = tf.add_n([tf.reduce_sum(gradient**2) for gradient in first])
    return [result, *first, *outer.gradient(norm, [images, kernel])]


def assert_close(ours, expected):
    for one, other in zip(ours, expected, strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one, other, atol=1e-5 * scale)
        assert scale > 0


def test_convolution_is_tensorflows(case):
    images, kernel, upstream = case
    expected = derivatives(plain, images, kernel, upstream)
    assert_close(derivatives(convolve, images, kernel, upstream), expected)


def test_transposed_convolution_is_tensorflows(case):
    images, kernel, upstream = case
    expected = derivatives(plain_transposed, upstream, kernel, images)
    assert_close(derivatives(convolve_transposed, upstream, kernel, images), expected)


def test_both_work_in_graphs_of_any_batch(case):
    images, kernel, upstream = case

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 6, 3]), tf.TensorSpec([None, 4, 3, 4])])
    def both(images, upstream):
        return convolve(images, kernel), convolve_transposed(upstream, kernel)

    expected = plain(images, kernel), plain_transposed(upstream, kernel)
    assert_close(both(images, upstream), expected)


def test_only_wide_kernels_are_matrix_products():
    def operations(channels):
        function = tf.function(convolve).get_concrete_function(
            tf.TensorSpec([2, 8, 8, channels]), tf.TensorSpec([5, 5, channels, 2 * channels])
        )
        return {operation.type for operation in function.graph.get_operations()}

    assert "Conv2D" in operations(128)
    assert "Conv2D" not in operations(512)
