"""What a run's steps reach outside of its own folders."""

from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.reach import Reach, reach_of


@pytest.fixture
def reach(tmp_path):
    """Of a run with some settings, whose pictures and publish root are in `tmp_path`."""
    faces = tmp_path / "faces"
    faces.mkdir()

    def reach(*overrides, publish_root=str(tmp_path / "published")):
        config = load_config("demo", None, [f"images={faces}", "train.warm_start=", *overrides])
        return reach_of(config, publish_root)

    return reach


def test_a_plain_run_reads_pictures_and_publishes(reach, tmp_path):
    assert reach() == Reach([tmp_path / "faces"], [tmp_path / "published"], in_buckets=False)


def test_models_are_read_and_the_staging_of_beams_workers_is_written(reach, tmp_path):
    (tmp_path / "model").mkdir()
    found = reach(
        f"train.warm_start={tmp_path}/model", f"ingest.staging={tmp_path}/i", "transform.staging=t"
    )
    assert tmp_path / "model" in found.read
    assert {tmp_path / "i", Path("t").absolute()} <= set(found.write)


@pytest.mark.parametrize(
    "setting",
    [
        "images=[/faces, s3://b/faces]", "train.warm_start=gs://b/models",
        "ingest.staging=s3://b/staging", "transform.staging=gs://b/staging",
    ],
)  # fmt: skip
def test_any_bucket_asks_for_credentials(reach, setting):
    assert reach(setting).in_buckets


def test_to_publish_in_a_bucket_asks_for_credentials_and_no_folder(reach):
    found = reach(publish_root="s3://b/models")
    assert found.in_buckets
    assert found.write == []
