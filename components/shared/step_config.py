"""What the configurations of all steps have in common."""

from pydantic import BaseModel, ConfigDict


class StepConfig(BaseModel):
    """Frozen; an unknown key is an error; whole floats pass as ints (kfp sends 7 as 7.0)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
