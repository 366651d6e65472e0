"""Settings of the evaluate step."""

from typing import Annotated, Any, Final, Literal, get_args

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

from components.shared.step_config import StepConfig

Sha256 = Annotated[str, StringConstraints(pattern=r"^([0-9a-fA-F]{64})?$", to_lower=True)]
ControlName = Literal["floor", "blurred", "collapsed"]  # what they are: controls.py
Limit = Literal["blurred", "collapsed"]  # not the floor, which is 0 but for chance
OWN: Final = "efficientnet_lite0"  # the extractor that comes with this package


class EvaluateConfig(StepConfig):
    """How snapshots are scored, and when the best one may be published."""

    samples: int = Field(
        1000,
        ge=10,
        le=100_000,
        description="Pictures that the best snapshot draws to be scored, and the most real ones "
        "compared with; to find the best, each draws 250 or more, and the better ones up to a "
        "fifth of these.",
    )
    neighbours: int = Field(
        5, ge=1, le=50, description="k of precision, recall, density and coverage."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Of the latents that are scored.")
    max_kid: Annotated[float, Field(gt=0)] | Limit = Field(
        0.5,
        description="Blessed only with a KID at or below this (not times 1000): a number, or the "
        "name of a control, whose KID is meant.",
    )
    min_coverage: float = Field(
        0.0, ge=0, le=1, description="Blessed only with a coverage at or above this."
    )
    max_memorised: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Blessed only where at most this share of the shown samples is nearer to a "
        "training picture than any held-out picture is; 1 never refuses for that.",
    )
    extractor: Literal[
        "efficientnet_lite0", "inception_v3_fid", "inception_v3_keras", "saved_model"
    ] = Field(OWN, description="Network whose features of pictures are compared.")
    extractor_source: str = Field(
        "",
        validate_default=True,
        description="Path or http(s) address of its graph or weights; of a SavedModel the folder.",
    )
    extractor_sha256: Sha256 = Field(
        "",
        validate_default=True,
        description="SHA-256 that this file must have, or that a SavedModel is known by.",
    )

    @field_validator("neighbours")
    @classmethod
    def _are_fewer_than_samples(cls, neighbours: int, info: ValidationInfo) -> int:
        samples = info.data.get("samples", neighbours + 1)
        if neighbours >= samples:
            raise ValueError(f"must be below evaluate.samples (={samples})")
        return neighbours

    @field_validator("max_kid", mode="wrap")
    @classmethod
    def _is_a_number_or_a_control(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        try:
            return validate(value)
        except ValidationError:  # one for each of the two
            controls = ", ".join(get_args(Limit))
            raise ValueError(f"must be a number, > 0, or one of {controls}") from None

    @field_validator("extractor_source")
    @classmethod
    def _fits_extractor(cls, source: str, info: ValidationInfo) -> str:
        extractor = info.data.get("extractor")
        scheme, separator, _ = source.partition("://")
        if extractor == OWN and source:
            raise ValueError(f"{OWN} comes with the package: leave it empty")
        if extractor == "inception_v3_fid" and not source:
            raise ValueError(
                "inception_v3_fid needs the path or address of classify_image_graph_def.pb, or of "
                "inception-2015-12-05.tgz, which holds it"
            )
        if extractor == "saved_model" and (not source or separator):
            raise ValueError("saved_model needs the path of the SavedModel's folder")
        if separator and scheme not in {"http", "https"}:
            raise ValueError("must be a path or begin with https:// or http://")
        return source

    @field_validator("extractor_sha256")
    @classmethod
    def _is_given_where_it_counts(cls, sha256: str, info: ValidationInfo) -> str:
        extractor, source = info.data.get("extractor"), info.data.get("extractor_source", "")
        if extractor == OWN and sha256:
            raise ValueError(f"{OWN} comes with the package: leave it empty")
        if not sha256 and (extractor == "inception_v3_fid" or "://" in source):
            raise ValueError(f"{extractor} needs the SHA-256 of {source or 'its file'}")
        return sha256
