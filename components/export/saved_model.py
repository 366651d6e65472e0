"""The SavedModel that TensorFlow Serving loads, and what identifies its weights."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components.shared.contracts import GENERATE_PNG, MOST_PICTURES, PNG_BYTES
from components.shared.normalization import to_pixels

_LATENTS = "latents"
_IMAGES = "images"
# Pictures drawn at once, always as many: sums differ in their last bits from batch size to
# batch size, and a picture must not depend on how many were asked for. On two cores larger
# batches draw no more pictures a second at full width.
BATCH = 32


def load_generator(path: Path) -> keras.Model:
    """Load a generator: float32 latents [B, latent_size] → [-1, 1], [B, H, W, 3]."""
    return keras.models.load_model(path, compile=False)


def write_saved_model(target: Path, generator: keras.Model) -> None:
    """Write a SavedModel with `signatures_of` the generator; TensorFlow alone loads it."""
    # Not keras.export.ExportArchive: Keras 3.15 writes every variable twice with it.
    module = tf.Module()
    module.weights = [variable.value for variable in generator.variables]
    tf.saved_model.save(module, str(target), signatures=signatures_of(generator))


def signatures_of(generator: keras.Model) -> dict[str, Callable[..., dict[str, tf.Tensor]]]:
    """Make the functions that a SavedModel offers by name.

    Two of them draw their own latents, from `count`, `seed` (int32) and `truncation`
    (float32), all scalars. Picture i is a function of seed, truncation and i alone. What
    asks for less than one picture or for more than `MOST_PICTURES` is refused.

    Returns:
        - `serving_default`: `latents`, float32 [n, latent_size] → `images`, uint8 [n, H, W, 3].
        - `generate`: count, seed, truncation → `images`, uint8 [count, H, W, 3].
        - `generate_png`: the same → `png_bytes`, string [count]; TensorFlow Serving's REST
          gives an output whose name ends so in base64.
    """
    latent_size = generator.input_shape[-1]
    latents = tf.TensorSpec([None, latent_size], tf.float32, name=_LATENTS)
    scalars = [
        tf.TensorSpec([], tf.int32, name="count"),
        tf.TensorSpec([], tf.int32, name="seed"),
        tf.TensorSpec([], tf.float32, name="truncation"),
    ]

    def pictures_of(latents: tf.Tensor) -> tf.Tensor:
        return to_pixels(generator(latents, training=False))

    def draw(
        count: tf.Tensor,
        seed: tf.Tensor,
        truncation: tf.Tensor,
        finish: Callable[[tf.Tensor], tf.Tensor],
        finished: tf.TensorSpec,
    ) -> tf.Tensor:
        within = (count >= 1) & (count <= MOST_PICTURES)
        tf.debugging.Assert(within, [f"count must be 1 to {MOST_PICTURES}:", count])

        def draw_batch(index: tf.Tensor) -> tf.Tensor:
            return finish(pictures_of(draw_latents(seed, index, truncation, latent_size)))

        drawn = tf.map_fn(
            draw_batch,
            tf.range((count + BATCH - 1) // BATCH),
            fn_output_signature=finished,
            parallel_iterations=1,  # for the memory
        )
        return tf.reshape(drawn, [-1, *finished.shape[1:]])[:count]

    def serve(latents: tf.Tensor) -> dict[str, tf.Tensor]:
        return {_IMAGES: pictures_of(latents)}

    def generate(count: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor) -> dict[str, tf.Tensor]:
        drawn = tf.TensorSpec([BATCH, *generator.output_shape[1:]], tf.uint8)
        return {_IMAGES: draw(count, seed, truncation, tf.identity, drawn)}

    def generate_png(
        count: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        encoded = tf.TensorSpec([BATCH], tf.string)
        return {PNG_BYTES: draw(count, seed, truncation, tf.io.encode_png, encoded)}

    return {
        "serving_default": tf.function(serve, [latents], autograph=False),
        "generate": tf.function(generate, scalars, autograph=False),
        GENERATE_PNG: tf.function(generate_png, scalars, autograph=False),
    }


def draw_latents(
    seed: tf.Tensor, batch: tf.Tensor, truncation: tf.Tensor, latent_size: int
) -> tf.Tensor:
    """Draw the latents of one batch: standard normal, times `truncation`.

    1 leaves them as in training; less gives more typical and less varied pictures, 0 the one
    in the middle. BigGAN's truncation trick (Brock et al. 2019,
    https://arxiv.org/abs/1809.11096, §3.1) trades variety for fidelity in the same space, but
    draws anew each value beyond a threshold instead of scaling all. StyleGAN's (Karras et al.
    2019, https://arxiv.org/abs/1812.04948, §2 and appendix B) scales towards the mean by the
    same formula, but in the space W behind its mapping network, which this generator lacks.

    Args:
        seed: int32 scalar.
        batch: Its number, int32 scalar.
        truncation: float32 scalar.
        latent_size: Values a picture.

    Returns:
        float32 [BATCH, latent_size].
    """
    # By name, since the default algorithm is the device's choice.
    normal = tf.random.stateless_normal([BATCH, latent_size], [seed, batch], alg="philox")
    return truncation * normal


def describe(generator: keras.Model) -> str:
    """Shapes of the default signature, e.g. ``latents [n, 100] -> images [n, 64, 64, 3]``."""
    latents, images = (
        ", ".join(str(size) for size in shape[1:])
        for shape in (generator.input_shape, generator.output_shape)
    )
    return f"{_LATENTS} [n, {latents}] -> {_IMAGES} [n, {images}]"


def weights_digest(generator: keras.Model) -> str:
    """SHA-256, in hexadecimal, over all variables, batch-norm statistics among them.

    Not over the .keras file: that is a zip with the time of writing in it.
    """
    digest = hashlib.sha256()
    for variable in generator.variables:
        values = np.ascontiguousarray(variable.numpy())
        digest.update(f"{values.dtype} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()
