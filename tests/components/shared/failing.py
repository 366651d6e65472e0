"""What workers do in the tests of Beam's runners, where workers can import it."""

import os

import apache_beam as beam

from components.shared.errors import DataRefused


class Fail(beam.DoFn):
    """Raise one of the errors that users see."""

    def __init__(self, how: str) -> None:
        self._how = how

    def process(self, _: int) -> None:
        if self._how == "data":
            raise DataRefused("no [picture] is\nlarge enough: add some")
        if self._how == "storage":
            raise OSError(28, os.strerror(28), "/disk/shard")
        if self._how == "bug":
            raise KeyError("a mistake in the program")
