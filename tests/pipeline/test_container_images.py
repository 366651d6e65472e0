import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.shared.contracts import STEPS
from pipeline import code_version, container_images
from pipeline.container_images import ContainerImages

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of what goes into the images."""
    for name in ("components", "infra"):
        shutil.copytree(
            ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "weights")
        )
    monkeypatch.setattr(code_version, "_ROOT", tmp_path / "components")
    seen_by_a_new_process = code_version.code_version.__wrapped__
    monkeypatch.setattr(container_images, "code_version", seen_by_a_new_process)
    monkeypatch.setattr(container_images, "_BUILT_FROM", tmp_path / "infra" / "images")
    return tmp_path


def digests(images=ContainerImages()):  # noqa: B008
    return {step: images.content_digest(step) for step in STEPS}


def changed(before):
    return {step for step, digest in digests().items() if digest != before[step]}


@pytest.mark.parametrize(
    ("file", "steps"),
    [
        ("components/train/step.py", {"train"}),
        ("components/shared/records.py", set(STEPS)),
        ("components/metrics/kid.py", {"train", "evaluate"}),
        ("components/__init__.py", set(STEPS)),
        ("infra/images/Dockerfile", set(STEPS)),
        ("infra/images/entrypoint.sh", set(STEPS)),
        ("infra/images/build.py", set()),
        ("infra/images/.Dockerfile.swp", set()),
        ("infra/images/locks/evaluate.txt", {"evaluate"}),
        ("infra/images/locks/tensorflow-cpu.txt", set(STEPS) - {"ingest"}),
        ("infra/images/locks/train-gpu.txt", set()),
        ("infra/images/locks/kfp.txt", set(STEPS)),
    ],
)
def test_digest_follows_what_goes_into_the_image(checkout, file, steps):
    before = digests()
    with (checkout / file).open("a") as opened:
        opened.write("# changed\n")
    assert changed(before) == steps


def test_gpu_variant_is_another_image_of_the_training_step_alone():
    cpu, gpu = digests(), digests(ContainerImages(accelerator="gpu"))
    assert {step for step in STEPS if cpu[step] != gpu[step]} == {"train"}


def test_reference_has_registry_and_tag_where_they_are_named():
    digest = ContainerImages().content_digest("train")
    assert ContainerImages().reference("train") == f"dcgan-pipeline/train:{digest}"
    named = ContainerImages("ghcr.io/someone/", "v1")
    assert named.reference("train") == "ghcr.io/someone/dcgan-pipeline/train:v1"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--python-image=mine"], "TAG: name one"),
        (["--push"], "REGISTRY: name one"),
        (["--accelerator=tpu"], "invalid choice"),
    ],
)
def test_build_refuses_what_could_not_be_told_apart(options, message):
    build = [sys.executable, str(ROOT / "infra" / "images" / "build.py"), *options]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr


def test_build_needs_no_package():
    build = [sys.executable, "-S", str(ROOT / "infra" / "images" / "build.py"), "--help"]
    done = subprocess.run(build, env={}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_build_without_docker_is_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "infra" / "images" / "build.py")],
        env={"DOCKER": str(tmp_path / "docker")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: cannot run {tmp_path / 'docker'} (No such file or directory); install Docker"
    ]
