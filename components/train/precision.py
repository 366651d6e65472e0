"""In which precision a training computes: as asked for, as before, or the faster one here."""

import gc
import logging
import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from components.train.config import TrainConfig
from components.train.hardware import has_bfloat16
from components.train.replicas import Replicas
from components.train.trainer import Trainer
from components.train.training_folder import TrainingFolder
from components.train.training_state import read_state

LOG = logging.getLogger("dcgan.train")
# Precision → data type policy of the networks. In the mixed one convolutions compute in
# bfloat16, while weights, optimisers, batch statistics and losses stay float32.
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
_SECONDS = 2.0  # of timed steps
_FEWEST_TURNS = 3  # where a step takes longer
_WORTH_IT = 1.02  # times as fast as float32; less may be chance


def agree_on_policy(
    replicas: Replicas, folder: TrainingFolder, config: TrainConfig, image_size: int
) -> str:
    """Settle in which precision all workers compute, and keep it beside the checkpoints.

    `auto` goes on in what the training has computed in so far where this machine computes in
    it. Else the chief times both, and what it saw is kept, too.

    Args:
        replicas: Those that train together.
        folder: Of the training.
        config: Settings of this step.
        image_size: Side of the pictures in pixels.

    Returns:
        Data type policy of the networks, "float32" or "mixed_bfloat16".
    """
    policies = list(_POLICIES.values())
    chosen = 0
    if replicas.is_chief:
        before = read_state(folder.path).get("dtype")
        candidates = ("float32", "bfloat16") if has_bfloat16() else ("float32",)
        rows = config.batch_size // replicas.strategy.num_replicas_in_sync
        precision, facts = _choose(config, image_size, rows, before, candidates)
        policy = _POLICIES[precision]
        if before not in {None, policy}:
            LOG.info(
                "it computed in %s so far: it goes on, but no longer to the bit; for the next "
                "training, train.precision=float32 is the same on all machines", before,
            )  # fmt: skip
        folder.mark("running", dtype=policy, **facts)
        chosen = policies.index(policy)
    return policies[replicas.from_chief(chosen)]


def _choose(
    config: TrainConfig, image_size: int, rows: int, before: str | None, candidates: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Precision to compute in, and facts to keep about the choice."""
    kept = [each for each in candidates if _POLICIES[each] == before]
    rates: dict[str, float] = {}
    precision: str = config.precision
    if precision != "auto":
        reason = f"train.precision={precision}"
    elif kept:
        precision, reason = kept[0], "as before"
    elif len(candidates) == 1:
        precision, reason = candidates[0], "no bfloat16 hardware"
    else:
        rates = images_per_second(config, image_size, rows, candidates)
        precision = faster(rates)
        reason = ", ".join(f"{rate:.0f} img/s in {each}" for each, rate in rates.items())
    LOG.info("computing in %s (%s)", precision, reason)
    return precision, {"timed_images_per_second": rates} if rates else {}


def images_per_second(
    config: TrainConfig, image_size: int, rows: int, candidates: Sequence[str]
) -> dict[str, float]:
    """Time training steps in each precision, in turns, on networks made for it and dropped.

    Of each the fastest step counts, which what else the machine does disturbs least. It is one
    of the most frequent kind, with the R1 penalty only where each step pays it: to trace
    both kinds would take twice as long. It runs on one device, as one replica alone does.

    Args:
        config: Settings of this step.
        image_size: Side of the pictures in pixels.
        rows: Pictures of a batch that one device works on.
        candidates: Of "float32" and "bfloat16".
    """
    penalize = config.r1_weight > 0 and config.r1_interval == 1
    pictures = tf.random.stateless_uniform([rows, image_size, image_size, 3], [0, 1], -1, 1)
    trainers = {each: Trainer(config, image_size, _POLICIES[each]) for each in candidates}
    for trainer in trainers.values():
        _seconds_of_step(trainer, pictures, penalize)  # it is traced
    times: dict[str, list[float]] = {each: [] for each in candidates}
    started, turn = time.monotonic(), 0
    while turn < _FEWEST_TURNS or time.monotonic() - started < _SECONDS:
        for each, trainer in trainers.items():
            times[each].append(_seconds_of_step(trainer, pictures, penalize))
        turn += 1
    del trainers, trainer
    gc.collect()  # traced functions refer to themselves
    return {each: round(rows / min(seconds), 1) for each, seconds in times.items()}


def faster(rates: dict[str, float]) -> str:
    """The precision to take, by pictures per second of each: float32 unless another is worth it."""
    best = max(rates, key=lambda each: rates[each])
    return best if rates[best] > _WORTH_IT * rates["float32"] else "float32"


def _seconds_of_step(trainer: Trainer, pictures: tf.Tensor, penalize: bool) -> float:
    started = time.monotonic()
    trainer.train_step(pictures, penalize)
    trainer.step.numpy()  # a GPU may still be at work
    return time.monotonic() - started
