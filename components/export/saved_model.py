"""The SavedModel that TensorFlow Serving loads, and what identifies its weights."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components.export.class_signatures import SCALARS, ByClass, Signatures, class_signatures
from components.shared.classes import BY_SHARES, Classes
from components.shared.contracts import GENERATE_PNG, IMAGES, MOST_PICTURES, PNG_BYTES
from components.shared.generators import class_count, images_of, latent_size
from components.shared.normalization import to_pixels

_LATENTS = "latents"
_LABELS = "labels"
# Pictures drawn at once, always as many: sums differ in their last bits from batch size to
# batch size, and a picture must not depend on how many were asked for. On two cores larger
# batches draw no more pictures a second at full width.
BATCH = 32


def load_generator(path: Path) -> keras.Model:
    """Load a generator: float32 latents [B, latent_size], labels → [-1, 1], [B, H, W, 3]."""
    return keras.models.load_model(path, compile=False)


def write_saved_model(target: Path, generator: keras.Model, classes: Classes | None = None) -> None:
    """Write a SavedModel with `signatures_of` the generator; TensorFlow alone loads it."""
    # Not keras.export.ExportArchive: Keras 3.15 writes every variable twice with it.
    module = tf.Module()
    module.weights = [variable.value for variable in generator.variables]
    tf.saved_model.save(module, str(target), signatures=signatures_of(generator, classes))


def signatures_of(generator: keras.Model, classes: Classes | None = None) -> Signatures:
    """Make the functions that a SavedModel offers by name.

    Those that draw their own latents do so from `count`, `seed` (int32) and `truncation`
    (float32), all scalars. Picture i is a function of seed, truncation, class and i alone. What
    asks for less than one picture or for more than `MOST_PICTURES` is refused.

    Args:
        generator: What draws.
        classes: Those that it draws; None for one that takes no labels.

    Returns:
        - `serving_default`: `latents`, float32 [n, latent_size], and with classes `labels`,
          int32 [n] → `images`, uint8 [n, H, W, 3].
        - `generate`: count, seed, truncation → `images`, uint8 [count, H, W, 3], with classes
          by their shares.
        - `generate_png`: the same → `png_bytes`, string [count]; TensorFlow Serving's REST
          gives an output whose name ends so in base64.
        - With classes, those of `class_signatures`.

    Raises:
        ValueError: `classes` are not as many as the generator draws.
    """
    drawn, named = class_count(generator), len(classes.names) if classes else 0
    if drawn != named:
        raise ValueError(f"the generator draws {drawn} classes, and {named} are named")
    by_class = ByClass(classes) if classes else None
    draw = _Drawing(generator, by_class)

    def serve(latents: tf.Tensor, labels: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        if by_class:
            labels = by_class.checked(labels)
        return {IMAGES: draw.pictures_of(latents, labels)}

    def generate(count: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor) -> dict[str, tf.Tensor]:
        return {IMAGES: draw.images(count, seed, truncation)}

    def generate_png(
        count: tf.Tensor, seed: tf.Tensor, truncation: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return {PNG_BYTES: draw.files(count, seed, truncation)}

    asked = [tf.TensorSpec([None, latent_size(generator)], tf.float32, name=_LATENTS)]
    if by_class:
        asked.append(tf.TensorSpec([None], tf.int32, name=_LABELS))
    signatures = {
        "serving_default": tf.function(serve, asked, autograph=False),
        "generate": tf.function(generate, SCALARS, autograph=False),
        GENERATE_PNG: tf.function(generate_png, SCALARS, autograph=False),
    }
    if by_class:
        signatures |= class_signatures(by_class, draw.images, draw.files)
    return signatures


class _Drawing:
    """Draws in a graph; a class is asked for by its number, or is `BY_SHARES`."""

    def __init__(self, generator: keras.Model, by_class: ByClass | None) -> None:
        self._generator, self._by_class = generator, by_class

    def pictures_of(self, latents: tf.Tensor, labels: tf.Tensor | None = None) -> tf.Tensor:
        return to_pixels(images_of(self._generator, latents, labels))

    def images(self, *scalars: tf.Tensor, number: tf.Tensor | int = BY_SHARES) -> tf.Tensor:
        drawn = tf.TensorSpec([BATCH, *self._generator.output_shape[1:]], tf.uint8)
        return self._draw(scalars, number, tf.identity, drawn)

    def files(self, *scalars: tf.Tensor, number: tf.Tensor | int = BY_SHARES) -> tf.Tensor:
        encoded = tf.TensorSpec([BATCH], tf.string)
        return self._draw(scalars, number, tf.io.encode_png, encoded)

    def _draw(
        self,
        scalars: tuple[tf.Tensor, ...],
        number: tf.Tensor | int,
        finish: Callable[[tf.Tensor], tf.Tensor],
        finished: tf.TensorSpec,
    ) -> tf.Tensor:
        count, seed, truncation = scalars
        within = (count >= 1) & (count <= MOST_PICTURES)
        tf.debugging.Assert(within, [f"count must be 1 to {MOST_PICTURES}:", count])

        def draw_batch(index: tf.Tensor) -> tf.Tensor:
            latents = draw_latents(seed, index, truncation, latent_size(self._generator))
            labels = None
            if self._by_class:
                labels = self._by_class.labels(number, seed, index, BATCH)
            return finish(self.pictures_of(latents, labels))

        drawn = tf.map_fn(
            draw_batch,
            tf.range((count + BATCH - 1) // BATCH),
            fn_output_signature=finished,
            parallel_iterations=1,  # for the memory
        )
        return tf.reshape(drawn, [-1, *finished.shape[1:]])[:count]


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
    images = ", ".join(str(size) for size in generator.output_shape[1:])
    labels = f", {_LABELS} [n]" if class_count(generator) else ""
    return f"{_LATENTS} [n, {latent_size(generator)}]{labels} -> {IMAGES} [n, {images}]"


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
