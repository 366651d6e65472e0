"""What is refused for want of pictures, by configuration and manifest alone."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from components.evaluate.config import EvaluateConfig
from components.evaluate.enough import refuse_too_few
from components.shared.errors import DataRefused


@pytest.mark.parametrize(("samples", "neighbours"), [(10, 10), (12, 50)])
def test_as_many_neighbours_as_samples_are_no_configuration(samples, neighbours):
    with pytest.raises(ValidationError, match=rf"must be below evaluate\.samples \(={samples}\)"):
        EvaluateConfig(samples=samples, neighbours=neighbours)
    EvaluateConfig(samples=samples, neighbours=samples - 1)


@pytest.mark.parametrize(
    ("held_out", "training", "neighbours", "advice"),
    [
        (9, 90, 20, "lower evaluate.neighbours to 8, raise ingest.eval_share, or add pictures"),
        (5, 90, 20, "raise ingest.eval_share, or add pictures"),
        (5, 90, 1, "raise ingest.eval_share, or add pictures"),
        (9, 9, 20, "lower evaluate.neighbours to 8, or add pictures"),
        (8, 5, 1, "lower ingest.eval_share, or add pictures"),
        (5, 5, 5, "add pictures"),
    ],
)
def test_the_advice_is_what_helps(held_out, training, neighbours, advice):
    counts = {"eval": held_out, "train": training}
    with pytest.raises(DataRefused) as info:
        refuse_too_few(counts, EvaluateConfig(neighbours=neighbours))
    assert str(info.value).endswith(f": {advice}")
    assert f"{held_out} pictures are held out and {training} to train on" in str(info.value)


@pytest.mark.parametrize("neighbours", [1, 5])
def test_six_of_each_are_enough(neighbours):
    refuse_too_few({"eval": 6, "train": 6}, EvaluateConfig(neighbours=neighbours))


def test_tensorflow_is_not_imported():
    code = "import sys, components.evaluate.enough; assert not {'tensorflow'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)
