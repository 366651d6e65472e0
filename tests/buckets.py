"""Real servers of buckets for the tests: moto's for S3, an emulator for Google's."""

import contextlib
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.ports import free_port, listens


@contextlib.contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Run moto's server; yields the environment by which clients find it."""
    port = free_port()
    with _process("moto.server", "-H", "127.0.0.1", "-p", str(port), port=port):
        yield {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextlib.contextmanager
def gcs_server() -> Iterator[dict[str, str]]:
    """Run an emulator of Google Cloud Storage; yields the environment by which clients find it."""
    port = free_port()
    arguments = ["start", "--host=127.0.0.1", f"--port={port}", "--in-memory"]
    with _process("tests.gcs_emulator", *arguments, port=port):
        yield {
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}",
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",  # would ask Google what bucket it is
        }


class TestBucket:
    """A bucket of its own on such a server."""

    __test__ = False  # no class of tests

    def __init__(self, scheme: str) -> None:
        """Make the bucket."""
        import fsspec

        name = f"pictures-{uuid.uuid4().hex}"
        self.address = f"{scheme}://{name}"
        self.client: Any = fsspec.filesystem(scheme, use_listings_cache=False)
        self.client.mkdir(name)

    def put(self, key: str, content: bytes) -> None:
        """Write an object."""
        with warnings.catch_warnings():  # gcsfs hands a whole object to aiohttp
            warnings.filterwarnings("ignore", "Sending a large body", ResourceWarning)
            self.client.pipe_file(f"{self.address}/{key}", content)

    def remove(self, key: str) -> None:
        """Remove an object."""
        self.client.rm_file(f"{self.address}/{key}")


@contextlib.contextmanager
def _process(module: str, *arguments: str, port: int) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", module, *arguments],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            while not listens(port):
                if process.poll() is not None:
                    raise RuntimeError(f"{module} ended with {process.returncode}")
                time.sleep(0.05)
            yield
        finally:
            process.kill()
