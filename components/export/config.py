"""Knobs of the export step."""

from pydantic import Field

from components.shared.contracts import MODEL_NAME
from components.shared.step_config import StepConfig


class ExportConfig(StepConfig):
    """What the exported model is called, how its GIF plays, and how many versions stay."""

    model_name: str = Field(
        MODEL_NAME,
        pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$",
        description="Folder under the publish root; lower-case letters, digits, - and _.",
    )
    gif_frames: int = Field(
        60, ge=2, le=1000, description="Most frames; longer trainings are thinned evenly."
    )
    gif_frame_ms: int = Field(120, ge=20, le=5000, description="Time a frame is shown, ms.")
    gif_hold_ms: int = Field(2000, ge=20, le=60_000, description="Time of the last frame, ms.")
    versions_kept: int = Field(
        5, ge=1, description="Newest published versions that stay; one has nothing to go back to."
    )
