"""Which Beam runner a step's work runs on."""

from collections.abc import Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner


def beam_pipeline(beam_options: Sequence[str], step: str) -> beam.Pipeline:
    """A pipeline on this machine, or where `beam_options` say."""
    if beam_options:
        return beam.Pipeline(options=PipelineOptions(list(beam_options)))
    return beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
