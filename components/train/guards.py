"""Signs that a training is lost, read once an epoch off the curves.

Three signs, each of which has to last (`train.guard_epochs`, and 500 steps):

- exploded: the discriminator's mean logit is beyond ±100 on real pictures or on fakes;
- won: it is above 3 on real pictures, below -3 on fakes, and the samples have little
  diversity. With cross-entropy that is a generator's loss above 3; with hinge both are
  well past the margins of ±1, where the discriminator has nothing left to learn;
- collapsed: the samples have next to no diversity, whatever the logits.

Diversity is that of the samples relative to that of the training pictures (`spread`).
Measured with the 800 demo faces, at 32×32 and base_width 64 unless said, for up to 4,000
steps; the seed profile at full width for 1,800, with 400 faces.

    training                         largest  real > 3, fake < -3  diversity
                                     logit    in epochs            from step 2,000 on
    demo                             1.1      none                 .94-1.04
    demo, 64×64, width 128           1.9      none                 .93-1.00
    demo, beta_1 .99 (learns)        2.9      none                 .49-.88
    seed                             2.9      none                 .78-1.03
    seed, hinge                      1.8      none                 .80-.98
    seed, batches of 2               1.6      none                 .64-1.11
    seed, rates ÷10 (slow)           2.1      none                 .18-.24
    seed, rates ×10 (learns)         11       48 of 50             .88-1.20
    seed, 64×64, width 128           7.5      1 of 50              .69-1.13
    seed, 64×64, full (faces appear) 19       44 of 45             .40-1.09 in 1,000-1,800
    seed, beta_1 .99                 17       46 of 50             .05-.56, at 2,000 .05
    seed, beta_1 .99, hinge          10       36 of 50             .14-1.15, at 2,000 .14
    seed, beta_1 .99, 64×64, 128     24       34 of 36             .02-.08
    seed, rates G 1e-6, D 1e-3       200      50 of 50             .19-.20
    demo, rates G 5e-6, D 5e-3       103      125 of 142           .20-.23
    rates ×100, seven kinds          > 10,000 0 to all             .00-1.2 in 500-2,000

So logits alone say little: at full width the seed profile's discriminator is ahead for 1,700
steps while faces appear. Diversity alone says little early on: below .1 up to step 880, and
below .35 up to step 960, in trainings that end well. And what rates ×100 leave is diverse,
but no picture. With beta_1 .99 the demo profile learns, if badly: nothing to stop.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from components.shared.errors import TrainingStopped
from components.train.batches import Pictures
from components.train.config import TrainConfig

_SIDE = 8  # noise and checkerboards, which differ between samples of no worth, are averaged out
_PICTURES = 1000  # of the data; enough for a standard deviation
_STEPS = 500  # that a sign lasts at least, where epochs are short
_SLOW_START = 2000  # steps; twice what the slowest training that ended well took
_EXPLODED = 100.0
_WON = 3.0
_LITTLE_DIVERSITY = 0.35
_NO_DIVERSITY = 0.1

Row = Mapping[str, float]  # of `metrics.jsonl`


def spread(pictures: np.ndarray) -> float:
    """Standard deviation of pictures averaged down to 8×8, the root mean over pixels.

    Of the 16 samples of a sheet it is within 40 % of that of 64 samples.

    Args:
        pictures: uint8 [N, S, S, 3], S a multiple of 8.
    """
    count, side = pictures.shape[:2]
    tiles = pictures.reshape(count, _SIDE, side // _SIDE, _SIDE, side // _SIDE, 3)
    coarse = tiles.mean(axis=(2, 4), dtype=np.float64)
    return float(np.sqrt(coarse.var(axis=0).mean()))


def spread_of_data(pictures: Pictures, image_size: int) -> float:
    """`spread` of up to 1,000 training pictures, evenly chosen.

    Args:
        pictures: Raw uint8 pixels of each.
        image_size: Side in pixels.
    """
    numbers = range(0, len(pictures), -(-len(pictures) // _PICTURES))
    raw = np.frombuffer(b"".join(pictures[number] for number in numbers), np.uint8)
    return spread(raw.reshape(-1, image_size, image_size, 3))


def diversity(samples: np.ndarray, data_spread: float) -> float:
    """Spread of samples, uint8 [N, S, S, 3], relative to the data's; 1 where that has none."""
    return spread(samples) / data_spread if data_spread else 1.0


def check_epochs(rows: Sequence[Row], config: TrainConfig) -> None:
    """Stop a training whose last epochs all show the same sign of being lost.

    It depends on the rows alone, so that a training that was interrupted stops at the same
    epoch as one that was not.

    Args:
        rows: One for each epoch done, in order, with "epoch", "step", "real_logit",
            "fake_logit" (means over the epoch) and "diversity" (at its end).
        config: Settings of this step.

    Raises:
        TrainingStopped: What was seen, since when, and what to try.
    """
    if not config.guard_epochs:
        return
    for sign in _SIGNS:
        first = _first_of_last(rows, sign)
        if len(rows) - first < config.guard_epochs:
            continue
        done = rows[-1]["step"]
        lasted = done - (rows[first - 1]["step"] if first else 0)
        if lasted >= _STEPS and (sign.at_once or done >= _slow_start(config)):
            raise TrainingStopped(_message(sign, rows[first], rows[-1], config))


def epochs_before_signs(rows: Sequence[Row]) -> list[float]:
    """The last epochs before those at the end that all show a sign, for each sign that shows."""
    firsts = [_first_of_last(rows, sign) for sign in _SIGNS]
    return [rows[first - 1]["epoch"] for first in firsts if 0 < first < len(rows)]


class _Sign(NamedTuple):
    """Something that one epoch shows."""

    text: str  # with the row's values filled in
    advice: str  # with the configuration's values filled in
    shows: Callable[[Row], bool]
    at_once: bool  # not in slow starts either


def _first_of_last(rows: Sequence[Row], sign: _Sign) -> int:
    """Index of the first of the rows at the end that show a sign; their number where none do."""
    first = len(rows)
    while first and sign.shows(rows[first - 1]):
        first -= 1
    return first


def _slow_start(config: TrainConfig) -> int:
    """Steps for which a training may look collapsed that is not; an average follows later."""
    return _SLOW_START + 2 * config.ema_half_life // config.batch_size


def _has_exploded(row: Row) -> bool:
    return max(abs(row["real_logit"]), abs(row["fake_logit"])) > _EXPLODED


def _has_won(row: Row) -> bool:
    apart = row["real_logit"] > _WON and row["fake_logit"] < -_WON
    return apart and row["diversity"] < _LITTLE_DIVERSITY


def _has_collapsed(row: Row) -> bool:
    return row["diversity"] < _NO_DIVERSITY


_LOWER_BOTH_RATES = (
    "lower train.generator_learning_rate (={generator_learning_rate:g}) and "
    "train.discriminator_learning_rate (={discriminator_learning_rate:g})"
)
_LOWER_BETA_1 = (
    "lower train.generator_beta_1 (={generator_beta_1:g}) and train.discriminator_beta_1 "
    "(={discriminator_beta_1:g}) to 0.5 or less"
)
_SIGNS = (
    _Sign(
        "the discriminator's logits have exploded (mean {real_logit:.4g} on real pictures, "
        "{fake_logit:.4g} on fakes)",
        _LOWER_BOTH_RATES,
        _has_exploded,
        at_once=True,
    ),
    _Sign(
        "the discriminator has won (mean logit {real_logit:.1f} on real pictures, "
        "{fake_logit:.1f} on fakes, diversity of the samples {diversity:.2f} of the data's)",
        f"{_LOWER_BETA_1}, lower train.discriminator_learning_rate "
        "(={discriminator_learning_rate:g}), raise train.r1_weight (={r1_weight:g}) or add to "
        "train.augment",
        _has_won,
        at_once=False,
    ),
    _Sign(
        "the samples have collapsed (their diversity is {diversity:.3f} of the data's)",
        f"{_LOWER_BOTH_RATES}, {_LOWER_BETA_1}, or raise train.r1_weight (={{r1_weight:g}})",
        _has_collapsed,
        at_once=False,
    ),
)


def _message(sign: _Sign, first: Row, last: Row, config: TrainConfig) -> str:
    epochs = last["epoch"] - first["epoch"] + 1
    return (
        f"{sign.text.format(**last)} in each of {epochs} epochs, from epoch {first['epoch']} to "
        f"{last['epoch']} (step {last['step']}): {sign.advice.format(**config.model_dump())}; "
        "train.guard_epochs=0 trains on regardless"
    )
