"""Settings of the ingest step."""

from typing import Literal

from pydantic import Field, field_validator

from components.shared.step_config import StepConfig

_HEX = set("0123456789abcdefABCDEF")


class IngestConfig(StepConfig):
    """How pictures are chosen, checked, resized and split."""

    image_size: Literal[32, 64, 128, 256] = Field(
        64, description="Side of the square pictures, pixels."
    )
    fit: Literal["crop", "pad"] = Field(
        "crop", description="Make square: `crop` to the centre, or `pad` to hold all."
    )
    background: str = Field(
        "#ffffff", description="Colour #rrggbb under what is transparent, and of the padding."
    )
    labels: Literal["none", "folders"] = Field(
        "none",
        description="`folders`: the first folder below what is named is a picture's class.",
    )
    max_images: int = Field(
        0,
        ge=0,
        description="Use only the first N pictures, in the order of their paths, of the classes "
        "by turns; 0 is all.",
    )
    eval_share: float = Field(
        0.1, gt=0, le=0.5, description="Share held out for evaluation, chosen by content hash."
    )
    max_reject_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Refuse a source of whose pictures more than this share is broken.",
    )
    shards: int = Field(4, ge=1, le=1024, description="TFRecord files per split.")
    near_duplicates: bool = Field(
        False, description="Count the pictures that look nearly like another; none is left out."
    )

    beam_options: tuple[str, ...] = Field(
        (),
        description="Beam's; none: this machine.",
        examples=["--runner=FlinkRunner", "--flink_master=host:8081"],
    )
    staging: str = Field(
        "", description="Folder, gs:// or s3:// prefix that workers on other machines reach."
    )

    @field_validator("background")
    @classmethod
    def _is_a_colour(cls, background: str) -> str:
        if not (len(background) == 7 and background[0] == "#" and set(background[1:]) <= _HEX):
            raise ValueError("must be #rrggbb in hexadecimal digits, such as #ffffff for white")
        return background
