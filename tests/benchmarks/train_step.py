"""Speed of our training step against the write-up's, side by side.

The write-up passes the fakes through the discriminator for each of the two losses and
keeps a tape for each; ours passes them once (see `losses.generator_gradient_scale`). Both
run in this process on the same networks and batch, in turns, so that whatever else the
machine does meets both alike. What counts is the ratio, with its spread over the turns.

    python tests/benchmarks/train_step.py [--json FILE]
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

from components.train.config import TrainConfig
from components.train.losses import discriminator_loss, generator_loss
from components.train.trainer import Trainer

IMAGE_SIZE = 64
TURNS = 7
SECONDS_PER_TURN = 3.0
CASES = {
    "write-up, batch 10": TrainConfig(),
    "demo's widths, batch 32": TrainConfig(batch_size=32, base_width=128, kernel_size=4),
    "demo's widths, batch 128": TrainConfig(batch_size=128, base_width=128, kernel_size=4),
}


def reference_step(trainer: Trainer, config: TrainConfig) -> Callable[[tf.Tensor], None]:
    """The write-up's update: two tapes, two backward passes through the discriminator."""
    generator, discriminator = trainer.generator, trainer.discriminator
    generator_optimizer = tf.keras.optimizers.Adam(config.generator_learning_rate)
    discriminator_optimizer = tf.keras.optimizers.Adam(config.discriminator_learning_rate)
    generator_optimizer.build(generator.trainable_variables)
    discriminator_optimizer.build(discriminator.trainable_variables)
    seed = tf.constant([1, 2], tf.int64)

    @tf.function
    def step(real: tf.Tensor) -> None:
        noise = tf.random.normal([config.batch_size, config.latent_size])
        with tf.GradientTape() as generator_tape, tf.GradientTape() as discriminator_tape:
            fake = generator(noise, training=True)
            real_logits = discriminator(real, dropout_seed=seed)
            fake_logits = discriminator(fake, dropout_seed=seed)
            losses = (
                generator_loss(config.loss, fake_logits),
                discriminator_loss(config.loss, real_logits, fake_logits),
            )
        of_generator = generator_tape.gradient(losses[0], generator.trainable_variables)
        of_discriminator = discriminator_tape.gradient(losses[1], discriminator.trainable_variables)
        generator_optimizer.apply(of_generator, generator.trainable_variables)
        discriminator_optimizer.apply(of_discriminator, discriminator.trainable_variables)

    return step


def steps_per_second(step: Callable[[tf.Tensor], None], real: tf.Tensor) -> float:
    """Run a step over and over for one turn."""
    started, steps = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < SECONDS_PER_TURN:
        step(real)
        steps += 1
    return steps / elapsed


def measure(config: TrainConfig) -> dict[str, float]:
    """Pictures per second of both, and the ratio ours / write-up over all turns."""
    trainer = Trainer(config, IMAGE_SIZE)
    real = tf.random.uniform([config.batch_size, IMAGE_SIZE, IMAGE_SIZE, 3], -1, 1)
    reference = reference_step(trainer, config)

    def ours(batch: tf.Tensor) -> None:
        trainer.train_step(batch, False)

    for step in (reference, ours):
        step(real)  # traced before the clock runs
    pairs = [
        (steps_per_second(reference, real), steps_per_second(ours, real)) for _ in range(TURNS)
    ]
    ratios = sorted(mine / theirs for theirs, mine in pairs)
    return {
        "reference_images_per_second": statistics.median(p[0] for p in pairs) * config.batch_size,
        "ours_images_per_second": statistics.median(p[1] for p in pairs) * config.batch_size,
        "ratio": statistics.median(ratios),
        "ratio_lowest": ratios[0],
        "ratio_highest": ratios[-1],
    }


def main() -> None:
    """Measure all cases, print a table, write JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    arguments = parser.parse_args()
    print(f"{'pictures a second':26}{'write-up':>10}{'ours':>10}{'ratio (lowest–highest)':>26}")
    results = {}
    for name, config in CASES.items():
        results[name] = found = measure(config)
        spread = f"{found['ratio']:.2f} ({found['ratio_lowest']:.2f}–{found['ratio_highest']:.2f})"
        print(
            f"{name:26}{found['reference_images_per_second']:10.1f}"
            f"{found['ours_images_per_second']:10.1f}{spread:>26}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
