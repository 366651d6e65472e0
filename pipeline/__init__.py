"""The user's side: configuration, the DAG, where it runs, the library and the command line."""

# Light: TensorFlow, Beam and kfp are imported by the functions that need them, when called.
from components.shared.errors import PipelineError
from pipeline.library import run, sample
from pipeline.results import RunSummary

__all__ = ["PipelineError", "RunSummary", "run", "sample"]
