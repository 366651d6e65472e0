"""Settings of the transform step."""

from pydantic import Field

from components.shared.step_config import StepConfig


class TransformConfig(StepConfig):
    """What is asked of the training pictures, and how they are described."""

    min_images: int = Field(
        2, ge=2, description="Fewest training pictures; two batches unless set."
    )
    histogram_bins: int = Field(
        32, ge=2, le=256, description="Equal bins of the channel histograms over [0, 255]."
    )
    beam_options: tuple[str, ...] = Field(
        (),
        description="Beam's; none: this machine.",
        examples=["--runner=FlinkRunner", "--flink_master=host:8081"],
    )
    staging: str = Field(
        "", description="Folder or gs:// prefix that workers on other machines reach."
    )
