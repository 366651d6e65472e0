"""Pictures and records that the tests of several rooms share."""

import gc
import os
import shutil
import subprocess
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from pathlib import Path

import numpy as np
import pytest

from components.shared.errors import UsageError
from pipeline.container_images import ContainerImages
from tests import browser as chromium
from tests import flink
from tests.buckets import TestBucket, gcs_server, s3_server
from tests.records import write_records


@pytest.fixture
def make_records(tmp_path):
    """`write_records` within the test's folder, by a name."""

    def make(name: str = "records", **splits: np.ndarray) -> Path:
        return write_records(tmp_path / name, **splits)

    return make


@pytest.fixture(scope="session")
def random_images():
    """Uint8 [24, 32, 32, 3], the same ones in every test."""
    return np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), np.uint8)


@pytest.fixture(scope="session")
def latin_1(tmp_path_factory):
    """Variables of a locale whose encoding is Latin-1."""
    folder = tmp_path_factory.mktemp("locales")
    name = "en_US.ISO-8859-1"
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / name)]
    if not shutil.which("localedef") or subprocess.run(command, check=False).returncode:
        pytest.skip("no localedef, or no locales to make one of")
    return {"LOCPATH": str(folder), "LC_ALL": name}


@pytest.fixture(scope="session")
def engine():
    """The Docker engine, with the images of this very code."""
    with warnings.catch_warnings():
        # docker leaves its socket open where no engine answers.
        warnings.simplefilter("ignore", ResourceWarning)
        engine, missing = find_engine()
        gc.collect()
    if engine is None and os.environ.get("DCGAN_REQUIRE_ALL"):
        pytest.fail(missing)
    if engine is None:
        pytest.skip(missing)
    return engine


@pytest.fixture(scope="module")
def browser():
    """The system's Chromium."""
    with chromium.launch() as browser:
        yield browser


@pytest.fixture(scope="session")
def flink_cache(request):
    """Folder of Flink's jars, where there are Java and Maven."""
    missing = flink.missing_tool()
    if missing and os.environ.get("DCGAN_REQUIRE_ALL"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return request.config.cache.mkdir("flink")


@pytest.fixture(scope="module")
def flink_local(flink_cache, tmp_path_factory):
    """Beam's options for a Flink in one process, with workers in the test's own."""
    with flink.local(flink_cache, tmp_path_factory.mktemp("flink")) as options:
        yield options


@pytest.fixture(scope="module")
def flink_session(flink_cache, tmp_path_factory):
    """Beam's options for a Flink session of two slots, with two worker processes."""
    with flink.session(flink_cache, tmp_path_factory.mktemp("flink")) as options:
        yield options


def find_engine():
    from pipeline.docker_runner import DockerEngine

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CUDA_VISIBLE_DEVICES", "")  # the images for the CPU
            return DockerEngine(ContainerImages(), Path("/runs"), print), None
    except UsageError as error:
        return None, f"{error}; `infra/ci/docker.sh make test` (as root) brings both"


@pytest.fixture(scope="session")
def _s3_environment():
    with s3_server() as environment:
        yield environment


@pytest.fixture(scope="session")
def _gcs_environment():
    with gcs_server() as environment:
        yield environment


@pytest.fixture
def make_bucket(request, monkeypatch):
    """Make an empty bucket, by its scheme, on a server that this process and its children find."""

    def make_bucket(scheme: str) -> TestBucket:
        server = {"s3": "_s3_environment", "gs": "_gcs_environment"}[scheme]
        for name, value in request.getfixturevalue(server).items():
            monkeypatch.setenv(name, value)
        return TestBucket(scheme)

    return make_bucket


@pytest.fixture(params=["s3", "gs"])
def bucket(request, make_bucket):
    """An empty bucket on a real server, which this process and its children find."""
    return make_bucket(request.param)
