"""The images' locks: of the versions that the tests run with, and none left over."""

import re
from pathlib import Path

import pytest

from components.shared.contracts import STEPS

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "infra" / "images" / "locks"
NAMES = sorted(path.stem for path in LOCKS.glob("*.txt"))


def pins(path):
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "sbom"])
def test_images_hold_the_versions_that_the_tests_ran_with(name):
    here = pins(ROOT / "requirements.lock")
    here["tensorflow-cpu"] = here["tensorflow"]
    for package, version in pins(LOCKS / f"{name}.txt").items():
        if package != "pip" and not package.startswith("nvidia-"):
            assert here.get(package) == version, package


def test_every_lock_has_its_input_and_none_is_left_over():
    inputs = {path.stem for path in LOCKS.glob("*.in")} - {"override"}
    assert inputs == set(NAMES)
    assert {*STEPS, "train-gpu", "tensorflow-cpu", "kfp", "sbom"} == set(NAMES)


def test_boot_program_is_of_the_beam_that_the_images_hold():
    dockerfile = (ROOT / "infra" / "images" / "Dockerfile").read_text()
    (version,) = re.findall(r"^ARG BEAM_SDK_IMAGE=\S+:(\S+)$", dockerfile, re.MULTILINE)
    assert version == pins(LOCKS / "ingest.txt")["apache-beam"]
    assert version == pins(LOCKS / "transform.txt")["apache-beam"]
