"""The ingest and transform images as Beam's workers, started as Dataflow and Flink start them."""

import contextlib
import socket
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.docker

# The workers look at themselves; what they import is only in their own image.
PIPELINE = """
import sys
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that, equal_to

def look(module):
    import importlib, os
    return importlib.import_module(module).__file__, os.getuid()

kind, place, *expected = sys.argv[1:]
modules, files = expected[::2], expected[1::2]
options = PipelineOptions(
    runner="PortableRunner", job_endpoint="embed", environment_type=kind,
    environment_config=place, sdk_worker_parallelism=1,
)
with beam.Pipeline(options=options) as pipeline:
    seen = pipeline | beam.Create(modules) | beam.Map(look)
    assert_that(seen, equal_to([(file, 10001) for file in files]))
"""
SITE = "/opt/venv/lib/python3.11/site-packages"
EXPECTED = {
    "ingest": [
        "components.ingest.decode", "/app/components/ingest/decode.py",
        "simplejpeg", f"{SITE}/simplejpeg/__init__.py",
    ],
    "transform": [
        "components.transform.step", "/app/components/transform/step.py",
        "tensorflow_transform", f"{SITE}/tensorflow_transform/__init__.py",
    ],
}  # fmt: skip


def run_pipeline(kind, place, step):
    done = subprocess.run(
        [sys.executable, "-c", PIPELINE, kind, place, *EXPECTED[step]],
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(params=EXPECTED)
def step(request):
    return request.param


@pytest.fixture
def image(engine, step):
    """The step's image; containers of it that were not there before are removed."""
    reference = engine.images.reference(step)

    def containers():
        of_it = {"ancestor": reference}
        listed = engine.client.containers.list(all=True, filters=of_it, ignore_removed=True)
        return {container.id: container for container in listed}

    before = containers()
    yield reference
    for identity, container in containers().items():
        if identity not in before:
            container.remove(force=True)


def test_runner_starts_a_worker(image, step):
    """As Dataflow does: a container a worker, told by options where its runner is."""
    run_pipeline("DOCKER", image, step)


def test_worker_pool_starts_workers(engine, image, step):
    """As beside Flink's task managers: one container, asked for workers on port 50000."""
    engine.client.containers.run(image, "--worker_pool", detach=True, network_mode="host")
    wait_for_port(50000)
    run_pipeline("EXTERNAL", "localhost:50000", step)


def wait_for_port(port, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port)):
            return
        time.sleep(0.1)
    raise AssertionError(f"nothing listens on port {port}")
