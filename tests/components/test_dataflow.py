"""The options for Dataflow that docs/ names, as far as Beam goes without Google: to a template."""

import json
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import yaml

from components.ingest.config import IngestConfig
from components.ingest.step import ingest
from components.shared.errors import UsageError

PAGE = Path(__file__).parents[2] / "docs" / "past-one-machine.md"


@pytest.mark.parametrize("bucket", ["gs"], indirect=True)
def test_options_in_the_docs_make_a_job(bucket, tmp_path, monkeypatch):
    (block,) = re.findall(r"```yaml\n# dataflow\.yaml.*?\n(.*?)```", PAGE.read_text(), re.S)
    settings = yaml.safe_load(block.replace("gs://bucket", bucket.address))["ingest"]
    template = f"{bucket.address}/job"
    options = [*settings["beam_options"], f"--template_location={template}", "--no_auth"]
    config = IngestConfig(**{**settings, "beam_options": options})
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        # No worker ran, so nothing came back.
        pytest.raises(UsageError, match=r"^ingest\.staging: Beam's workers wrote nothing"),
    ):
        source = f"{bucket.address}/faces"
        pool.submit(ingest, source, tmp_path / "records", config).result(timeout=120)
    assert not (tmp_path / "records").exists()
    staged = bucket.client.find(f"{bucket.address}/temp")
    assert any(path.endswith("/pipeline.pb") for path in staged)
    environment = json.loads(bucket.client.cat_file(template))["environment"]
    (pool,) = environment["workerPools"]
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 8
    images = [image["containerImage"] for image in pool["sdkHarnessContainerImages"]]
    assert images == ["europe-docker.pkg.dev/my-project/dcgan/dcgan-pipeline/ingest:TAG"]
