"""The steps that use Beam, on a real Flink; in one module, which starts it once."""

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor

import apache_beam as beam
import numpy as np
import pytest

from components.ingest.config import IngestConfig
from components.ingest.step import ingest
from components.shared.beam_runner import beam_pipeline
from components.shared.contracts import IMAGE, STATISTICS
from components.shared.errors import DataRefused, PipelineError, UsageError
from components.shared.normalization import load_transform_graph
from components.shared.records import load_images
from components.transform.config import TransformConfig
from components.transform.step import transform
from tests.components.ingest import zoo_files
from tests.components.shared.failing import Fail

pytestmark = pytest.mark.flink


def in_a_process(step, *args):
    """Run a step as its own process, as users do; Beam's threads end noisily with Flink's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(step, *args).result()


def with_option(options, name, value):
    return [f"{name}={value}" if each.startswith(f"{name}=") else each for each in options]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def fail(options, how):
    with beam_pipeline(options, "ingest") as pipeline:
        _ = pipeline | beam.Create([1, 2]) | beam.Reshuffle() | beam.ParDo(Fail(how))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """More files than two chunks hold, in folders; some are duplicates, some broken."""
    root = tmp_path_factory.mktemp("pictures")
    for seed in range(600):
        content = zoo_files.encode(zoo_files.picture(seed % 590), "PNG")
        path = root / f"{seed % 3}" / f"[{seed}] *.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if seed % 50 else content[:200])
    (root / "notes.txt").write_text("no picture")
    return root


@pytest.mark.parametrize("flink", ["flink_local", "flink_session"])
def test_ingest_gives_the_same_as_on_one_machine(flink, request, tmp_path, pictures):
    flink = request.getfixturevalue(flink)
    here, there, staging = tmp_path / "here", tmp_path / "there", tmp_path / "staging"
    ingest(str(pictures), here, IngestConfig(image_size=32))
    config = IngestConfig(image_size=32, beam_options=flink, staging=str(staging))
    in_a_process(ingest, str(pictures), there, config)
    assert files_of(there) == files_of(here)
    assert list(staging.iterdir()) == []


def test_workers_of_ingest_may_share_no_disk(flink_local, tmp_path, pictures, bucket):
    for path in sorted(pictures.rglob("*.png"))[:40]:
        bucket.put(f"faces/{path.name}", path.read_bytes())
    source, staging = f"{bucket.address}/faces", f"{bucket.address}/staging"
    here, there = tmp_path / "here", tmp_path / "there"
    config = IngestConfig(image_size=32, max_reject_share=1)
    ingest(source, here, config)
    remote = config.model_copy(update={"beam_options": flink_local, "staging": staging})
    in_a_process(ingest, source, there, remote)
    assert files_of(there) == files_of(here)
    assert not bucket.client.find(staging)


def test_transform_gives_the_same_as_on_one_machine(
    flink_local, tmp_path, make_records, random_images
):
    records = make_records(train=random_images, eval=random_images[:2])
    here, there, staging = tmp_path / "here", tmp_path / "there", tmp_path / "staging"
    config = TransformConfig(beam_options=flink_local, staging=str(staging))
    transform(records, here, TransformConfig())
    in_a_process(transform, records, there, config)
    assert (there / STATISTICS).read_bytes() == (here / STATISTICS).read_bytes()
    images = load_images(records, "train")
    pixels = [load_transform_graph(graph)(images)[IMAGE].numpy() for graph in (here, there)]
    np.testing.assert_array_equal(*pixels)
    assert list(staging.iterdir()) == []


def test_error_of_a_worker_reaches_the_user(flink_session):
    with pytest.raises(DataRefused, match=r"^no \[picture\] is large enough: add some$"):
        fail(flink_session, "data")


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ("--flink_master", UsageError, "host='localhost', port=9"),
        ("--environment_config", PipelineError, "failed in state FAILED"),
    ],
)
def test_what_does_not_answer_is_named(flink_session, option, error, message):
    with pytest.raises(error, match=rf"^ingest\.beam_options .*{re.escape(message)}"):
        fail(with_option(flink_session, option, "localhost:9"), "")
