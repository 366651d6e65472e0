"""The user's side: configuration, the DAG, where it runs, the library and the command line."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from components.shared.errors import PipelineError
    from pipeline.library import run, sample
    from pipeline.results import RunSummary

__all__ = ["PipelineError", "RunSummary", "run", "sample"]

_MODULES = {
    "PipelineError": "components.shared.errors",
    "RunSummary": "pipeline.results",
    "run": "pipeline.library",
    "sample": "pipeline.library",
}


# Imported when asked for: infra/images/build.py imports from here with Python alone.
def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
