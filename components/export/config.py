"""Settings of the export step."""

from typing import Literal

from pydantic import Field

from components.shared.contracts import MODEL_NAME
from components.shared.step_config import StepConfig

Animation = Literal["webp", "mp4"]
Format = Literal["onnx", "tflite"]


class ExportConfig(StepConfig):
    """What the exported model is called, how its GIFs play, and how many versions stay."""

    model_name: str = Field(
        MODEL_NAME,
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        description="Folder under the publish root; lower-case letters, digits, - and _.",
    )
    licence: str = Field(
        "", max_length=200, description="Of the pictures, as the model card is to state it."
    )
    attribution: str = Field(
        "", max_length=2000, description="Who made the pictures, as the model card is to state it."
    )
    gif_frames: int = Field(
        60,
        ge=2,
        le=1000,
        description="Frames of the latent walk, and the most of the training; longer ones are "
        "thinned evenly.",
    )
    gif_frame_ms: int = Field(120, ge=20, le=5000, description="Time a frame is shown, ms.")
    gif_hold_ms: int = Field(
        2000, ge=20, le=60_000, description="Time of the training's last frame, ms."
    )
    animations: tuple[Animation, ...] = Field(
        (), description="The training once more, as dcgan.webp or dcgan.mp4, which needs av."
    )
    formats: tuple[Format, ...] = Field(
        (),
        description="The generator once more, as generator.onnx, which needs tf2onnx, or "
        "generator.tflite.",
    )
    canary_seconds: float = Field(
        120,
        gt=0,
        le=3600,
        description="Longest that the exported model may take for 32 pictures, by each of its "
        "signatures, s.",
    )
    versions_kept: int = Field(
        5, ge=1, description="Newest published versions that stay; one has nothing to go back to."
    )
