"""Generator and discriminator of DCGAN (Radford et al. 2016, https://arxiv.org/abs/1511.06434, §3).

Both follow the write-up that this project reproduces: strided convolutions, batch
normalisation in the generator only, LeakyReLU and dropout in the discriminator. Widths
halve at each doubling of the resolution, from `base_width` at 4×4.

With classes, the generator's batch normalisation has a scale and a shift of each class
(Dumoulin et al. 2017, https://arxiv.org/abs/1610.07629, §2.2), and the discriminator adds
the product of its last features, averaged over the picture, and a vector of the class
(Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637, §3; they sum, which makes it learn
faster than the rest). At first these scales are 1, the shifts 0, and latents moved by class
are distributed as before, so that layers of a model without classes fit.

Under a mixed data type policy, convolutions compute in its low precision; weights, batch
statistics, the generator's pictures and the discriminator's logits are float32.
"""

from types import ModuleType

import keras
import tensorflow as tf

from components.train.class_layers import CLASS, OfClass
from components.train.config import TrainConfig
from components.train.convolution import convolve
from components.train.palette import paint

_SMALLEST_SIDE = 4
_CHANNELS = 3
_FIRST_POWER_ITERATIONS = 15
SINGULAR_VECTOR = "singular_vector"


def build_generator(
    config: TrainConfig,
    image_size: int,
    dtype: str | keras.DTypePolicy = "float32",
    layers: ModuleType = keras.layers,
    classes: int = 0,
) -> keras.Model:
    """Build the generator.

    Args:
        config: Settings of the training.
        image_size: Side of the pictures, a power of two.
        dtype: Data type policy of the layers, such as "mixed_bfloat16".
        layers: Where BatchNormalization, Conv2DTranspose and Embedding come from.
        classes: How many it draws; 0 for one that takes no label.

    Returns:
        A functional model: float32 latents [B, latent_size] and, with classes, int32 labels
        [B] → float32 [B, S, S, 3] in [-1, 1]. Made of Keras' own layers, it loads without
        this package. Layers with weights are named by what they do and by the side that they
        give, so that they can be found in another model.
    """
    widths = _widths(config.base_width, image_size)
    asked = latents = keras.Input([config.latent_size], name="latents")
    of_class = None
    if classes:
        of_class = OfClass(keras.Input([], name="labels", dtype="int32"), classes, layers)
        asked = [latents, of_class.labels]
        latents = of_class.move(latents)
    side = _SMALLEST_SIDE
    hidden = keras.layers.Dense(
        side * side * widths[0], use_bias=False, dtype=dtype, name=f"dense_{side}"
    )(latents)
    hidden = _normalise_and_activate(hidden, config, side, dtype, layers, of_class)
    hidden = keras.layers.Reshape([side, side, widths[0]], dtype=dtype)(hidden)
    for width in widths[1:]:
        side *= 2
        hidden = _upsample(hidden, config, width, dtype, layers)
        hidden = _normalise_and_activate(hidden, config, side, dtype, layers, of_class)
    hidden = _upsample(hidden, config, config.palette or _CHANNELS, dtype, layers)
    if config.palette:
        hidden = paint(hidden, latents, config, of_class)
    images = keras.layers.Activation("tanh", dtype="float32", name="images")(hidden)
    return keras.Model(asked, images, name="generator")


def generator_weights(generator: keras.Model) -> dict[str, tf.Variable]:
    """Weights by "layer/weight", such as "norm_4/moving_mean"."""
    return {
        f"{layer.name}/{weight.name}": weight.value
        for layer in generator.layers
        for weight in layer.weights
    }


def _upsample(
    hidden: keras.KerasTensor,
    config: TrainConfig,
    width: int,
    dtype: str | keras.DTypePolicy,
    layers: ModuleType,
) -> keras.KerasTensor:
    """Double the side: [B, S, S, C] → [B, 2·S, 2·S, width].

    "nearest" repeats each pixel 2×2, then convolves, so that all outputs see equally many
    inputs and no checkerboard comes of it (Odena et al. 2016,
    https://distill.pub/2016/deconv-checkerboard/). Repeating is a transposed convolution
    with 2×2 ones, and convolutions can change places: to convolve the few pixels first, and
    take the mean over 2×2 after, gives the same but at the borders, for a quarter of the
    work. An even kernel would shift the picture by half a pixel each time, hence an odd one.
    """
    nearest = config.upsampling == "nearest"
    size = config.kernel_size - (nearest and config.kernel_size % 2 == 0)
    name = f"up_{2 * hidden.shape[1]}"
    hidden = layers.Conv2DTranspose(
        width, size, strides=2, padding="same", use_bias=False, dtype=dtype, name=name
    )(hidden)
    if nearest:
        hidden = keras.layers.AveragePooling2D(2, strides=1, padding="same", dtype=dtype)(hidden)
    return hidden


def _normalise_and_activate(
    hidden: keras.KerasTensor,
    config: TrainConfig,
    side: int,
    dtype: str | keras.DTypePolicy,
    layers: ModuleType,
    of_class: OfClass | None,
) -> keras.KerasTensor:
    hidden = layers.BatchNormalization(
        momentum=config.batch_norm_momentum, dtype=dtype, name=f"norm_{side}"
    )(hidden)
    if of_class:
        hidden = of_class.scale_and_shift(hidden, str(side), dtype)
    return keras.layers.LeakyReLU(negative_slope=config.leaky_slope, dtype=dtype)(hidden)


class Discriminator(keras.Model):
    """Float32 images [B, S, S, 3] in [-1, 1] → float32 logits [B, 1], real above 0.

    It has no batch normalisation: each logit depends on its own picture alone, which
    `losses.one_pass_gradients` relies on.
    """

    def __init__(
        self,
        config: TrainConfig,
        image_size: int,
        dtype: str | keras.DTypePolicy = "float32",
        classes: int = 0,
    ) -> None:
        """Build all weights at once, so that checkpoints can be restored into them.

        Args:
            config: Settings of the training.
            image_size: Side of the pictures, a power of two.
            dtype: Data type policy of the convolutions, such as "mixed_bfloat16".
            classes: How many it tells apart; 0 for one that takes no labels.
        """
        super().__init__(name="discriminator", dtype=dtype)
        self._classes = classes
        self._dropout = config.dropout
        self._slope = config.leaky_slope
        self.kernels: list[keras.Variable] = []
        self.biases: list[keras.Variable] = []
        self._directions: list[keras.Variable] = []
        self._names: list[str] = []
        size, channels, side = config.kernel_size, _CHANNELS, image_size
        base_width = config.discriminator_width or config.base_width
        for width in reversed(_widths(base_width, image_size)):
            kernel_shape = [size, size, channels, width]
            self._add_layer(f"conv_{side}", kernel_shape, config.spectral_norm)
            channels, side = width, side // 2
        self._add_layer("logit", [_SMALLEST_SIDE**2 * channels, 1], config.spectral_norm)
        if classes:
            self._add_layer(f"{CLASS}_logits", [channels, classes], config.spectral_norm)
        self.find_singular_vectors()
        self.built = True

    def _add_layer(self, name: str, shape: list[int], spectral_norm: bool) -> None:
        # Without autocast a weight is read as float32: σ needs it, and `call` casts the rest.
        options = {"autocast": False}
        self._names.append(name)
        self.kernels.append(self.add_weight(shape, name=f"{name}_kernel", **options))
        self.biases.append(self.add_weight(shape[-1:], "zeros", name=f"{name}_bias", **options))
        if spectral_norm:
            direction = self.add_weight(
                shape[-1:], "random_normal", name=f"{name}_{SINGULAR_VECTOR}", trainable=False,
                aggregation="only_first_replica", **options,
            )  # fmt: skip
            self._directions.append(direction)

    def named_weights(self) -> dict[str, tf.Variable]:
        """Weights by "layer/weight", such as "conv_64/kernel", float32.

        A layer is named by what it does and by the side that it sees, so that it can be found
        in another model.
        """
        kinds = {"kernel": self.kernels, "bias": self.biases, SINGULAR_VECTOR: self._directions}
        return {
            f"{layer}/{kind}": weight.value
            for kind, weights in kinds.items()
            for layer, weight in zip(self._names, weights, strict=False)
        }

    def find_singular_vectors(self) -> None:
        """Bring the vectors near those of the kernels, which are new; nothing else needs it."""
        for _ in range(_FIRST_POWER_ITERATIONS):
            self.update_singular_vectors()

    def update_singular_vectors(self) -> None:
        """Follow the kernels by one power iteration; once a step, before the first pass.

        Nothing else changes the vectors, so that all passes of a step are made with the same
        weights. Without spectral normalisation there are none, and nothing happens.
        """
        for kernel, vector in zip(self.kernels, self._directions, strict=False):
            matrix = _as_matrix(kernel)
            image = tf.linalg.matvec(matrix, vector)
            back = tf.linalg.matvec(matrix, image, transpose_a=True)
            vector.assign(tf.math.l2_normalize(back))

    def effective_kernels(self) -> list[tf.Tensor]:
        """Kernels as the passes use them, float32, in the order of the layers.

        With spectral normalisation (Miyato et al. 2018, https://arxiv.org/abs/1802.05957,
        §2.1) each is divided by the estimate of its largest singular value σ = uᵀWv, where
        W is the kernel as a matrix [inputs, outputs]. We keep v, the direction of the
        outputs, alone: with u = Wv/‖Wv‖, σ is ‖Wv‖, and its gradient is uvᵀ, just as if u
        were held constant.
        """
        if not self._directions:
            return [tf.convert_to_tensor(kernel) for kernel in self.kernels]
        return [
            kernel / tf.norm(tf.linalg.matvec(_as_matrix(kernel), vector))
            for kernel, vector in zip(self.kernels, self._directions, strict=True)
        ]

    def call(
        self,
        images: tf.Tensor,
        labels: tf.Tensor | None = None,
        dropout_seed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Judge pictures as of their classes; drop units only when given a seed, int64 [2]."""
        layers = [*zip(self.effective_kernels(), self.biases, strict=True)]
        of_classes = layers.pop() if self._classes else None
        *convolutions, logit = layers
        hidden = tf.cast(images, self.compute_dtype)
        for index, (kernel, bias) in enumerate(convolutions):
            hidden = convolve(hidden, tf.cast(kernel, hidden.dtype))
            hidden = hidden + tf.cast(bias, hidden.dtype)
            hidden = tf.nn.leaky_relu(hidden, self._slope)
            if dropout_seed is not None and self._dropout:
                hidden = tf.nn.experimental.stateless_dropout(
                    hidden, self._dropout, seed=dropout_seed + [index, 0], rng_alg="philox"
                )
        kernel, bias = logit
        features = tf.cast(tf.reshape(hidden, [-1, kernel.shape[0]]), tf.float32)
        logits = tf.matmul(features, kernel) + bias
        if of_classes:
            logits += _logit_of_class(features, labels, *of_classes)
        return logits


def _logit_of_class(
    features: tf.Tensor, labels: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor
) -> tf.Tensor:
    """What a picture's own class adds to its logit: float32 [B, 1]."""
    channels, classes = kernel.shape
    pooled = tf.reduce_mean(tf.reshape(features, [-1, _SMALLEST_SIDE**2, channels]), axis=1)
    of_all = tf.matmul(pooled, kernel) + bias
    return tf.reduce_sum(of_all * tf.one_hot(labels, classes), axis=1, keepdims=True)


def _as_matrix(kernel: keras.Variable) -> tf.Tensor:
    return tf.reshape(kernel, [-1, kernel.shape[-1]])


def _widths(base_width: int, image_size: int) -> list[int]:
    doublings = (image_size // _SMALLEST_SIDE).bit_length() - 1
    return [max(base_width >> index, _SMALLEST_SIDE) for index in range(doublings)]
