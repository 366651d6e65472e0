"""Signs that a training is lost, read once an epoch off the curves.

Three signs, each of which has to last (`train.guard_epochs`, and 500 steps):

- exploded: the discriminator's mean logit is beyond ±100 on real pictures or on fakes;
- won: it is above 3 on real pictures, below -3 on fakes, and the samples have little
  diversity. With cross-entropy that is a discriminator's loss below 0.1 against a
  generator's above 3; both are past the hinge loss's margins of ±1, so it holds there, too;
- collapsed: the samples have next to no diversity, whatever the logits.

Diversity is that of the samples relative to that of the training pictures (`spread`).
Measured with the 800 demo faces; 50 epochs of the seed profile (4,000 steps), 100 to 200
of the demo (2,500 to 5,000), at 32×32 unless said:

    training                        largest    real > 3, fake < -3    diversity
                                    logit      at steps               from step 2,000 on
    demo; 64×64                     1.1; 1.9   never                  .94-1.04; .93-1.01
    demo, beta_1 .99 (learns)       2.8        never                  .49-.88
    seed ÷16; ÷16 hinge             2.9; 1.8   never                  .78-1.03; .80-.98
    seed ÷16, rates ×10 (learns)    11         2,000 to 4,000         .88-1.20
    seed ÷8, 64×64                  7.5        320                    .69-1.13
    seed full width, 64×64          19         80 to 1,800 (its end)  .60-1.12 from 1,000 on
    seed ÷16, beta_1 .99            17         400 to 4,000           .02-.10 before 2,320
    seed ÷16, beta_1 .99, hinge     10         1,040 to 3,600         .03-.10 before 1,840
    seed ÷8, beta_1 .99, 64×64      24         240 to 2,880 (its end) .02-.08
    generator hardly learns: demo   103        from 1,400 on          .20-.23
    rates ×100: all seven           > 10,000   varies                 .00-1.6

So logits alone say little: at full width the seed profile's discriminator wins for 1,800
steps while faces appear. And diversity alone says little early on: until step 900 it is
below .25 in trainings that end well. What rates ×100 leave is no picture and yet diverse.
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
        config: Knobs of this step.

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


def last_epoch_in_order(rows: Sequence[Row]) -> float:
    """The last epoch before those at the end that all show the same sign of being lost; or 0."""
    first = min(_first_of_last(rows, sign) for sign in _SIGNS)
    return rows[first - 1]["epoch"] if first else 0


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
        "(={discriminator_learning_rate:g}), raise train.r1_weight (={r1_weight:g}) or set "
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
