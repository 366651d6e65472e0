"""Training steps that are raced: the write-up's, ours, and PyTorch's.

A process of its own runs one of them, a turn for each line it reads:

    python tests/benchmarks/contenders.py NAME BATCH

and answers with the seconds of one step, the median over the turn.
"""

import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

IMAGE_SIZE = 64
WIDTHS = (1024, 512, 256, 128)  # of the write-up, from 4×4 up
LATENTS = 100
SECONDS_PER_TURN = 2.0

Step = Callable[[], None]


def reference(batch: int) -> Step:
    """The write-up's step, of Keras' layers: float32, two tapes, two backward passes."""
    import keras
    import tensorflow as tf
    from keras import layers

    from components.train.config import TrainConfig
    from components.train.networks import build_generator

    generator = build_generator(TrainConfig(), IMAGE_SIZE)
    hidden = [
        layer
        for width in reversed(WIDTHS)
        for layer in (
            layers.Conv2D(width, 5, strides=2, padding="same"),
            layers.LeakyReLU(),
            layers.Dropout(0.3),
        )
    ]
    discriminator = keras.Sequential(
        [keras.Input([IMAGE_SIZE, IMAGE_SIZE, 3]), *hidden, layers.Flatten(), layers.Dense(1)]
    )
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    networks = (generator, discriminator)
    optimizers = [keras.optimizers.Adam(1e-4) for _ in networks]
    for optimizer, network in zip(optimizers, networks, strict=True):
        optimizer.build(network.trainable_variables)
    real = tf.random.uniform([batch, IMAGE_SIZE, IMAGE_SIZE, 3], -1, 1)

    @tf.function
    def step() -> tf.Tensor:
        noise = tf.random.normal([batch, LATENTS])
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fake = generator(noise, training=True)
            real_logits = discriminator(real, training=True)
            fake_logits = discriminator(fake, training=True)
            of_generator = entropy(tf.ones_like(fake_logits), fake_logits)
            of_discriminator = entropy(tf.ones_like(real_logits), real_logits) + entropy(
                tf.zeros_like(fake_logits), fake_logits
            )
        tapes, losses = (generator_tape, discriminator_tape), (of_generator, of_discriminator)
        gradients = [
            tape.gradient(loss, network.trainable_variables)
            for tape, loss, network in zip(tapes, losses, networks, strict=True)
        ]
        for optimizer, each, network in zip(optimizers, gradients, networks, strict=True):
            optimizer.apply(each, network.trainable_variables)
        return of_generator

    return lambda: step().numpy()


def ours(batch: int, dtype: str) -> Step:
    """Our step with the write-up's settings."""
    import tensorflow as tf

    from components.train.config import TrainConfig
    from components.train.trainer import Trainer

    trainer = Trainer(TrainConfig(batch_size=batch), IMAGE_SIZE, dtype)
    real = tf.random.uniform([batch, IMAGE_SIZE, IMAGE_SIZE, 3], -1, 1)
    return lambda: _wait_for_step(trainer, real, penalize=False)


def _wait_for_step(trainer: Any, real: Any, penalize: bool, labels: Any = None) -> None:
    trainer.train_step(real, penalize, labels)
    trainer.step.numpy()


def demo(batch: int, cores: int | None = None, classes: int = 0) -> Step:
    """The demo's step, on so many of the cores, or on all of them; or by so many classes."""
    available = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, available[:cores])  # TensorFlow starts as many threads
    import tensorflow as tf

    from components.shared.classes import Classes
    from components.train.trainer import Trainer
    from pipeline.config import load_config

    settings = load_config("demo").train
    tf.config.optimizer.set_experimental_options({"remapping": False})  # as the step does
    named = Classes(tuple(map(str, range(classes))), (1,) * classes) if classes else None
    trainer = Trainer(settings, IMAGE_SIZE, classes=named)
    real = tf.random.uniform([batch, IMAGE_SIZE, IMAGE_SIZE, 3], -1, 1)
    labels = tf.range(batch) % classes if named else None
    count = itertools.count()
    return lambda: _wait_for_step(trainer, real, next(count) % settings.r1_interval == 0, labels)


def pytorch(batch: int) -> Step:
    """The same networks and mathematics as PyTorch's users write them, float32."""
    import torch
    from torch import nn

    def up(inputs: int, outputs: int) -> nn.Module:
        return nn.ConvTranspose2d(inputs, outputs, 5, 2, 2, output_padding=1, bias=False)

    pairs = list(itertools.pairwise(WIDTHS))
    grown = [
        layer
        for inputs, outputs in pairs
        for layer in (up(inputs, outputs), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.3))
    ]
    generator = nn.Sequential(
        nn.Linear(LATENTS, 16 * WIDTHS[0], bias=False), nn.BatchNorm1d(16 * WIDTHS[0]),
        nn.LeakyReLU(0.3), nn.Unflatten(1, (WIDTHS[0], 4, 4)), *grown,
        up(WIDTHS[-1], 3), nn.Tanh(),
    )  # fmt: skip
    channels = (3, *reversed(WIDTHS))
    shrunk = [
        layer
        for inputs, outputs in itertools.pairwise(channels)
        for layer in (nn.Conv2d(inputs, outputs, 5, 2, 2), nn.LeakyReLU(0.3), nn.Dropout(0.3))
    ]
    discriminator = nn.Sequential(*shrunk, nn.Flatten(), nn.Linear(16 * WIDTHS[0], 1))
    optimizers = [torch.optim.Adam(net.parameters(), 1e-4) for net in (generator, discriminator)]
    entropy = nn.functional.binary_cross_entropy_with_logits
    real = torch.rand(batch, 3, IMAGE_SIZE, IMAGE_SIZE) * 2 - 1

    def step() -> None:
        fake = generator(torch.randn(batch, LATENTS))
        ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)
        optimizers[1].zero_grad()
        of_fake = entropy(discriminator(fake.detach()), zeros)
        (entropy(discriminator(real), ones) + of_fake).backward()
        optimizers[1].step()
        optimizers[0].zero_grad()
        entropy(discriminator(fake), ones).backward()
        optimizers[0].step()

    return step


CONTENDERS: dict[str, Callable[[int], Step]] = {
    "write-up": reference,
    "ours, float32": lambda batch: ours(batch, "float32"),
    "ours, bfloat16": lambda batch: ours(batch, "mixed_bfloat16"),
    "PyTorch": pytorch,
    "demo, one core": lambda batch: demo(batch, cores=1),
    "demo, all cores": demo,
    "demo, 2 classes": lambda batch: demo(batch, classes=2),
    "demo, 40 classes": lambda batch: demo(batch, classes=40),
}


def seconds_of_a_step(step: Step) -> float:
    """Median over a turn of at least one step."""
    found, started = [], time.perf_counter()
    while not found or time.perf_counter() - started < SECONDS_PER_TURN:
        begun = time.perf_counter()
        step()
        found.append(time.perf_counter() - begun)
    return statistics.median(found)


def main() -> None:
    """Take turns as the other side asks for them."""
    name, batch = sys.argv[1:]
    step = CONTENDERS[name](int(batch))
    for _ in range(2):  # traced and warm before the clock runs
        step()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(seconds_of_a_step(step), flush=True)


if __name__ == "__main__":
    main()
