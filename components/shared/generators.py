"""How a generator is asked for pictures, be it one that draws by class or one that does not."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

CLASS_LATENTS = "class_latents"  # layer of a generator that draws by class


def latent_size(generator: "keras.Model") -> int:
    """How many numbers a latent vector has."""
    size: int = generator.inputs[0].shape[-1]
    return size


def class_count(generator: "keras.Model") -> int:
    """How many classes it draws; 0 for a generator that takes no label."""
    if len(generator.inputs) == 1:
        return 0
    count: int = generator.get_layer(CLASS_LATENTS).input_dim
    return count


def images_of(
    generator: "keras.Model", latents: Any, labels: Any = None, training: bool = False
) -> "tf.Tensor":
    """Draw.

    Args:
        generator: One of ours.
        latents: float32 [B, latent_size].
        labels: Class of each picture, int32 [B], below `class_count`; None where that is 0.
        training: Whether batch normalisation goes by the batch.

    Returns:
        float32 [B, S, S, 3] in [-1, 1].
    """
    return generator(latents if labels is None else [latents, labels], training=training)
