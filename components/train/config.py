"""Settings of the train step."""

from typing import Literal, Self

from pydantic import Field, field_validator

from components.shared.buckets import is_remote, names_bucket
from components.shared.contracts import BASE
from components.shared.step_config import StepConfig

Loss = Literal["non_saturating", "hinge"]
Augmentation = Literal["color", "translation", "cutout"]
Precision = Literal["auto", "float32", "bfloat16"]
_FEWEST_COLOURS = 4


class TrainConfig(StepConfig):
    """Networks, optimisation and bookkeeping. Defaults are those of the DCGAN write-up."""

    epochs: int = Field(
        50, ge=1, le=100_000, description="Passes over the training pictures, at most."
    )
    minutes: float = Field(
        0.0,
        ge=0,
        description="Training time, that of earlier processes included, after which the epoch "
        "under way is the last one; 0 leaves it to epochs.",
    )
    batch_size: int = Field(10, ge=2, le=4096, description="Pictures a step.")
    seed: int = Field(0, ge=0, lt=2**31, description="Source of all randomness in training.")
    precision: Precision = Field(
        "auto",
        description="Of convolutions; auto times a few steps where CPU or GPU compute in "
        "bfloat16, takes what is faster, and stays with it for the whole training.",
    )

    warm_start: str = Field(
        "",
        description="Model that gives the first weights, to the layers that fit: base, which "
        "comes with this package and has seen drawings of many kinds; or path, gs://… or s3://… "
        "of a published one, as of runs/published/dcgan, whose newest version is meant; empty is "
        "none.",
    )
    latent_size: int = Field(100, ge=1, le=4096, description="Length of a latent vector.")
    base_width: int = Field(
        1024,
        ge=16,
        le=4096,
        multiple_of=8,
        description="Channels at 4×4; halved at each doubling of the resolution.",
    )
    discriminator_width: int = Field(
        0,
        ge=0,
        le=4096,
        multiple_of=8,
        description="The same of the discriminator alone; 0 is base_width for both.",
    )
    kernel_size: int = Field(5, ge=3, le=7, description="Side of the convolution kernels.")
    upsampling: Literal["transposed", "nearest"] = Field(
        "transposed",
        description="How the generator doubles the resolution: by a transposed convolution, "
        "or by repeated pixels and a convolution, which draws no checkerboard.",
    )
    palette: int = Field(
        0,
        ge=0,
        le=64,
        description="Colours that each picture is mixed from, one of them a shaded background, "
        "at least 4; 0 lets each pixel have its own. Drawings gain much from some 8.",
    )
    leaky_slope: float = Field(0.3, ge=0, lt=1, description="Negative slope of LeakyReLU.")
    dropout: float = Field(0.3, ge=0, lt=1, description="Dropped share, discriminator only.")
    batch_norm_momentum: float = Field(
        0.99, ge=0, lt=1, description="Of the moving statistics in the generator."
    )

    spectral_norm: bool = Field(
        False, description="Divide the discriminator's kernels by their largest singular value."
    )

    loss: Loss = Field(
        "non_saturating",
        description="Binary cross-entropy, the generator's against 1; or the hinge loss.",
    )
    generator_learning_rate: float = Field(1e-4, gt=0, le=1, description="Adam step size.")
    discriminator_learning_rate: float = Field(1e-4, gt=0, le=1, description="Adam step size.")
    generator_beta_1: float = Field(
        0.9, ge=0, lt=1, description="Adam's decay of the first moment."
    )
    discriminator_beta_1: float = Field(
        0.9, ge=0, lt=1, description="Adam's decay of the first moment."
    )
    r1_weight: float = Field(
        0.0, ge=0, description="γ of the R1 gradient penalty on real pictures as shown; 0 is off."
    )
    r1_interval: int = Field(
        8, ge=1, description="Steps between two R1 penalties, each weighted by the interval."
    )
    augment: tuple[Augmentation, ...] = Field(
        (), description="Differentiable augmentations shown to the discriminator."
    )
    class_draws: Literal["natural", "balanced"] = Field(
        "natural",
        description="How often each class of ingest.labels is shown: as often as it is among the "
        "pictures, or all equally often, those of small ones repeatedly.",
    )
    flip: bool = Field(
        False,
        description="Mirror half of the real pictures; off where pictures have a direction.",
    )
    ema_half_life: int = Field(
        0,
        ge=0,
        description="Pictures after which a past weight counts half in the averaged "
        "generator; 0 samples from the raw weights.",
    )

    guard_epochs: int = Field(
        5,
        ge=0,
        description="Epochs in a row, at least 500 steps, after which a training is stopped "
        "whose logits exploded or, from step 2,000 and two half-lives of the average on, whose "
        "samples collapsed or whose discriminator has won; 0 never stops for that.",
    )
    cache_gib: float = Field(
        2.0,
        ge=0,
        description="Training pictures are held in memory up to this size, in GiB; larger sets "
        "are read from the records as they are needed, in the same order.",
    )
    checkpoint_seconds: float = Field(
        60.0, ge=0, description="Time between checkpoints; one is also made at each snapshot."
    )
    snapshot_epochs: int = Field(1, ge=1, description="Epochs between snapshots of the generator.")
    patience: int = Field(
        0,
        ge=0,
        description="Epochs without a gain in KID beyond chance after which a training ends. "
        "Meanwhile a process of its own scores snapshots by 500 samples, at most five in so many "
        "epochs; the best so far is kept. 0 scores none.",
    )
    snapshots_kept: int = Field(
        8,
        ge=1,
        description="Snapshots kept: the last, and others spread evenly over the training so "
        "far; and the last before each sign of a lost training that shows.",
    )

    resume: Literal["auto", "fresh"] = Field(
        "auto",
        description="auto: go on, but refuse to start while another training waits unfinished; "
        "fresh: leave that behind and start another, which is what unattended runs want. A fresh "
        "training that is interrupted goes on, too, and one that is finished is not repeated.",
    )
    queue: str = Field(
        "",
        description="Trainings of one queue under one checkpoint root wait for one another, in "
        "the train step; empty waits for none. The runs of a schedule are one queue, "
        "unless it lets several run at once.",
    )
    trainings_kept: int = Field(
        5, ge=0, description="Ended trainings whose checkpoints stay, the last ones."
    )
    trainings_kept_days: float = Field(
        30.0, ge=0, description="Days after which an ended training's checkpoints are removed."
    )

    @field_validator("warm_start")
    @classmethod
    def _can_be_read(cls, value: str) -> str:
        if is_remote(value) and not names_bucket(value):
            raise ValueError(f"must be {BASE}, a path, gs://bucket/… or s3://bucket/…")
        return value

    @field_validator("palette")
    @classmethod
    def _mix_of_several(cls, value: int) -> int:
        if 0 < value < _FEWEST_COLOURS:
            raise ValueError(f"must be 0, or at least {_FEWEST_COLOURS} colours")
        return value

    def by_epochs(self, epochs: int) -> Self:
        """The same training by its number of epochs alone, which repeats it to the bit.

        In the same precision, which `auto` might choose anew, and from the same version, where
        warm_start names a published model.
        """
        return self.model_copy(update={"epochs": epochs, "minutes": 0.0})
