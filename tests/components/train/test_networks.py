import keras
import numpy as np
import pytest
import tensorflow as tf

from components.train.config import TrainConfig
from components.train.networks import Discriminator, build_generator


@pytest.mark.parametrize("image_size", [32, 64, 128, 256])
def test_both_networks_fit_every_image_size(image_size):
    config = TrainConfig(base_width=32, latent_size=7)
    images = build_generator(config, image_size)(tf.zeros([2, 7]))
    assert images.shape == (2, image_size, image_size, 3)
    assert np.abs(images).max() <= 1
    assert Discriminator(config, image_size)(images).shape == (2, 1)


def test_default_networks_are_those_of_the_write_up():
    generator = build_generator(TrainConfig(), 64)
    kernels = [tuple(weight.shape) for weight in generator.trainable_weights if weight.ndim > 1]
    assert kernels == [
        (100, 4 * 4 * 1024), (5, 5, 512, 1024), (5, 5, 256, 512), (5, 5, 128, 256), (5, 5, 3, 128)
    ]  # fmt: skip
    discriminator = Discriminator(TrainConfig(), 64)
    shapes = [tuple(weight.shape) for weight in discriminator.trainable_weights]
    assert shapes == [
        (5, 5, 3, 128), (128,), (5, 5, 128, 256), (256,), (5, 5, 256, 512), (512,),
        (5, 5, 512, 1024), (1024,), (4 * 4 * 1024, 1), (1,),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("upsampling", "dtype"), [("transposed", "float32"), ("nearest", "mixed_bfloat16")]
)
def test_snapshot_loads_with_keras_alone(upsampling, dtype, tmp_path):
    generator = build_generator(TrainConfig(base_width=16, upsampling=upsampling), 32, dtype)
    generator.save(tmp_path / "generator.keras")
    assert all(type(layer).__module__.startswith("keras.") for layer in generator.layers)
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    latents = np.random.default_rng(0).standard_normal((3, 100), np.float32)
    np.testing.assert_array_equal(loaded(latents), generator(latents))


@pytest.mark.parametrize(("asked", "taken"), [(3, 3), (4, 3), (5, 5), (7, 7)])
def test_nearest_upsampling_is_repeated_pixels_and_a_convolution(asked, taken):
    config = TrainConfig(base_width=16, kernel_size=asked, upsampling="nearest")
    *_, convolution, pooling, _ = build_generator(config, 64).layers
    kernel = convolution.kernel
    assert kernel.shape == (taken, taken, 3, 4)
    small = tf.random.stateless_normal([2, 32, 32, 4], [0, 0])
    repeated = tf.repeat(tf.repeat(small, 2, axis=1), 2, axis=2)
    # A transposed convolution's kernel is turned around; the mean divides by four.
    turned = tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2]) / 4
    expected = tf.nn.conv2d(repeated, turned, 1, "SAME").numpy()
    inside = np.s_[:, 8:-8, 8:-8]
    ours = pooling(convolution(small)).numpy()
    np.testing.assert_allclose(ours[inside], expected[inside], atol=1e-6)


@pytest.mark.parametrize(("upsampling", "even"), [("transposed", False), ("nearest", True)])
def test_equal_pixels_stay_equal_without_a_checkerboard(upsampling, even):
    config = TrainConfig(base_width=16, kernel_size=5, upsampling=upsampling)
    *_, convolution, pooling, _ = build_generator(config, 64).layers
    hidden = tf.ones([1, 32, 32, 4]) * tf.random.stateless_normal([1, 1, 1, 4], [0, 0])
    hidden = pooling(convolution(hidden)) if even else pooling(hidden)
    inside = hidden.numpy()[:, 8:-8, 8:-8]
    assert (np.ptp(inside, axis=(1, 2)).max() < 1e-6) == even


def test_mixed_precision_keeps_ends_and_statistics_in_float32():
    config = TrainConfig(base_width=16, dropout=0.3, spectral_norm=True)
    policy = keras.DTypePolicy("mixed_bfloat16")
    generator, discriminator = (
        build_generator(config, 32, policy),
        Discriminator(config, 32, policy),
    )
    for layer in generator.layers[1:-1]:
        assert layer.compute_dtype == "bfloat16", layer.name
    assert {v.dtype for v in generator.weights + discriminator.weights} == {"float32"}

    latents = tf.random.stateless_normal([8, 100], [0, 0])
    images = generator(latents, training=True)
    assert images.dtype == tf.float32
    logits = discriminator(images, dropout_seed=tf.constant([1, 2], tf.int64))
    assert logits.dtype == tf.float32

    graph = tf.function(discriminator).get_concrete_function(images).graph
    convolutions = [op for op in graph.get_operations() if op.type == "Conv2D"]
    assert [op.outputs[0].dtype for op in convolutions] == [tf.bfloat16] * 3
    # Moving statistics: a hundredth of the batch's, which bfloat16 would round.
    (first, *_) = [la for la in generator.layers if isinstance(la, keras.layers.BatchNormalization)]
    batch = generator.layers[1](latents)
    mean = 0.01 * tf.reduce_mean(tf.cast(batch, tf.float32), axis=0)
    np.testing.assert_allclose(first.moving_mean, mean, rtol=1e-4, atol=1e-6)


def test_mixed_precision_is_near_float32():
    config = TrainConfig(base_width=32, spectral_norm=True)
    networks = [Discriminator(config, 32, dtype) for dtype in ("float32", "mixed_bfloat16")]
    networks[1].set_weights(networks[0].get_weights())
    images = tf.random.stateless_uniform([8, 32, 32, 3], [0, 0], -1, 1)
    exact, rounded = (network(images).numpy() for network in networks)
    assert np.any(exact != rounded)
    np.testing.assert_allclose(rounded, exact, atol=0.03 * np.abs(exact).max())


def test_mixed_precision_divides_by_a_singular_value_in_float32():
    class Watched(Discriminator):
        def effective_kernels(self):
            self.seen = super().effective_kernels()
            return self.seen

    discriminator = Watched(TrainConfig(base_width=16, spectral_norm=True), 32, "mixed_bfloat16")
    discriminator(tf.zeros([1, 32, 32, 3]))
    in_a_pass = discriminator.seen
    for kernel, seen in zip(discriminator.effective_kernels(), in_a_pass, strict=True):
        np.testing.assert_array_equal(kernel, seen)


@pytest.fixture
def spectral():
    keras.utils.set_random_seed(0)
    return Discriminator(TrainConfig(base_width=32, spectral_norm=True), 32)


def _largest_singular_values(kernels):
    matrices = [np.reshape(kernel, [-1, kernel.shape[-1]]) for kernel in kernels]
    return [np.linalg.svd(matrix, compute_uv=False)[0] for matrix in matrices]


def test_spectral_norm_divides_by_the_largest_singular_value(spectral):
    start = _largest_singular_values(spectral.effective_kernels())
    np.testing.assert_allclose(start, 1, rtol=0.1, err_msg="a fair estimate from the start")
    for _ in range(200):
        spectral.update_singular_vectors()
    np.testing.assert_allclose(_largest_singular_values(spectral.effective_kernels()), 1, rtol=1e-4)
    for kernel, effective in zip(spectral.kernels, spectral.effective_kernels(), strict=True):
        sigma = _largest_singular_values([kernel.numpy()])[0]
        np.testing.assert_allclose(effective * sigma, kernel, rtol=1e-4, atol=1e-6)


def test_spectral_norm_is_used_by_the_passes(spectral):
    """What it is for: the network is about 1-Lipschitz, however large its weights grow."""
    images = tf.random.stateless_uniform([4, 32, 32, 3], [0, 0], -1, 1)
    before = spectral(images)
    for kernel in spectral.kernels:
        kernel.assign(100 * kernel)
    np.testing.assert_allclose(spectral(images), before, rtol=1e-4)


def test_gradient_flows_through_the_singular_value(spectral):
    """∂/∂W of W/σ: (G − ⟨G, W⟩/σ · uvᵀ)/σ, by NumPy's own singular vectors."""
    for _ in range(200):
        spectral.update_singular_vectors()
    factors = [tf.random.stateless_normal(k.shape, [0, i]) for i, k in enumerate(spectral.kernels)]
    with tf.GradientTape() as tape:
        effective = spectral.effective_kernels()
        total = tf.add_n([tf.reduce_sum(f * e) for f, e in zip(factors, effective, strict=True)])
    gradients = tape.gradient(total, [kernel.value for kernel in spectral.kernels])
    for kernel, factor, gradient in zip(spectral.kernels, factors, gradients, strict=True):
        matrix = np.reshape(kernel.numpy(), [-1, kernel.shape[-1]])
        g = np.reshape(factor, matrix.shape)
        u, s, v = np.linalg.svd(matrix, full_matrices=False)
        expected = (g - np.sum(g * matrix) / s[0] * np.outer(u[:, 0], v[0])) / s[0]
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            np.reshape(gradient, matrix.shape), expected, rtol=1e-2, atol=1e-3 * scale
        )


def test_singular_vectors_are_state_that_only_the_update_changes(spectral):
    vectors = spectral.non_trainable_weights
    assert [v.shape for v in vectors] == [k.shape[-1:] for k in spectral.kernels]
    assert len({v.path for v in spectral.weights}) == len(spectral.weights) == 3 * len(vectors)
    images = tf.random.stateless_uniform([4, 32, 32, 3], [0, 0], -1, 1)
    before = [v.numpy() for v in vectors]
    for _ in range(3):
        spectral(images, dropout_seed=tf.constant([1, 2], tf.int64))
    for vector, old in zip(vectors, before, strict=True):
        np.testing.assert_array_equal(vector, old)

    keras.utils.set_random_seed(0)
    twin = Discriminator(TrainConfig(base_width=32, spectral_norm=True), 32)
    for network in (spectral, twin):
        network.update_singular_vectors()
    for ours, theirs in zip(spectral.weights, twin.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert any(np.any(v.numpy() != old) for v, old in zip(vectors, before, strict=True))


def test_without_spectral_norm_kernels_are_used_as_they_are():
    discriminator = Discriminator(TrainConfig(base_width=16), 32)
    assert discriminator.non_trainable_weights == []
    assert not any(np.any(bias) for bias in discriminator.biases)
    for kernel, used in zip(discriminator.kernels, discriminator.effective_kernels(), strict=True):
        np.testing.assert_array_equal(kernel, used)


def test_dropout_is_a_function_of_its_seed():
    discriminator = Discriminator(TrainConfig(base_width=16, dropout=0.5), 32)
    images = tf.random.stateless_normal([4, 32, 32, 3], [0, 0])
    seed = tf.constant([1, 2], tf.int64)
    first = discriminator(images, dropout_seed=seed)
    np.testing.assert_array_equal(first, discriminator(images, dropout_seed=seed))
    assert np.any(first != discriminator(images, dropout_seed=seed + 1))
    assert np.any(first != discriminator(images))
