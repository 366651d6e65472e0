"""Knobs of the evaluate step."""

from pydantic import Field

from components.shared.step_config import StepConfig


class EvaluateConfig(StepConfig):
    """How snapshots are scored, and when the best one may be published."""

    samples: int = Field(
        1000,
        ge=10,
        le=100_000,
        description="Pictures generated per snapshot, and the most real ones compared with.",
    )
    snapshots: int = Field(5, ge=1, description="Last snapshots to score.")
    neighbours: int = Field(
        5, ge=1, le=50, description="k of precision, recall, density and coverage."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Of the latents that are scored.")
    max_kid: float = Field(
        0.5, gt=0, description="Blessed only with a KID at or below this (not times 1000)."
    )
    min_coverage: float = Field(
        0.0, ge=0, le=1, description="Blessed only with a coverage at or above this."
    )
