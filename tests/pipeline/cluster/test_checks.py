"""What no cluster could run, known from the configuration alone."""

import pytest

from components.shared.errors import UsageError
from pipeline.cluster.checks import check_config
from pipeline.config import load_config

EXTRACTOR = "evaluate={{extractor: saved_model, extractor_source: {}}}"


def check(*settings):
    """Warnings about a configuration that would be right without these settings."""
    usual = ("images=/dcgan/pictures", "cluster.registry=ghcr.io/you")
    return check_config(load_config("full", overrides=(*usual, *settings)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["train.warm_start=/models/dcgan"], "train.warm_start (=/models/dcgan): no pod would"),
        ([EXTRACTOR.format("/home/me/model")], "evaluate.extractor_source (=/home/me/model): no"),
        (["cluster.publish_root=/published"], "cluster.publish_root (=/published): no pod would"),
        (
            ["ingest.staging=/shared", "ingest.beam_options=[--runner=FlinkRunner]"],
            "ingest.staging (=/shared): no pod would find it",
        ),
        (
            ["transform={staging: /shared, beam_options: [--runner=x, --runner=SparkRunner]}"],
            "transform.staging (=/shared): no pod would find it",
        ),
        (
            ["train.warm_start=/opt/model", "cluster.images={train: 'x.io/t:1'}"],
            "train.warm_start (=/opt/model): no pod would find it",
        ),
        (
            ["cluster.publish_root=/opt/published", "cluster.tag=mine"],
            "cluster.publish_root (=/opt/published): no pod would find it",
        ),
        (
            ["train.batch_size=10", "cluster.train.gpus=4"],
            "train.batch_size (=10) is not a multiple of cluster.train.gpus (=4): ",
        ),
        (["ingest.max_images=50"], "ingest.max_images (=50) leaves too few: this run needs 134: "),
        (["export.formats=[onnx]"], "export.formats: onnx needs the package tf2onnx, which"),
    ],
)
def test_what_no_cluster_could_run_is_refused(settings, said):
    with pytest.raises(UsageError) as info:
        check(*settings)
    assert said in str(info.value)


@pytest.mark.parametrize(
    "settings",
    [
        ["train.warm_start=base"],
        ["train.warm_start=/dcgan/published/dcgan"],
        ["train.warm_start=gs://models/dcgan"],
        [EXTRACTOR.format("/dcgan/model")],
        ["cluster.publish_root=s3://models"],
        ["cluster.publish_root=/dcgan/here"],
        ["ingest.staging=gs://staging", "transform.staging=/dcgan/staging"],
        ["ingest.staging=/tmp/x", "transform.staging=/tmp/x"],
        ["ingest={staging: /tmp/x, beam_options: [--runner=DirectRunner, --streaming]}"],
        ["train.batch_size=12", "cluster.train.gpus=4"],
        ["train.batch_size=10", "cluster.train.gpus=0"],
        ["train.batch_size=10", "cluster.train.gpus=4", "cluster.train.gpu_type=nvidia.com/mig-1g"],
        ["export.formats=[tflite]", "export.animations=[webp, mp4]"],
    ],
)
def test_what_a_cluster_could_run_is_not(settings):
    assert check(*settings) == []


@pytest.mark.parametrize(
    ("own", "image"),
    [
        ("cluster.images={{ingest: {0}, train: {0}, evaluate: {0}, export: {0}}}", "x.io/own:1"),
        ("cluster.tag=mine", "ghcr.io/you/dcgan-pipeline/{}:mine"),
    ],
)
def test_what_an_image_of_ones_own_holds_is_not_known(own, image):
    wanted = (EXTRACTOR.format("/opt/v"), "train.warm_start=/opt/t", "export.formats=[onnx]")
    assert check(own.format(image), *wanted) == [
        f"whether {image.format(step)} holds {what} is not checked from here"
        for step, what in (
            ("ingest", "/opt/t"), ("train", "/opt/t"), ("evaluate", "/opt/v"), ("export", "tf2onnx")
        )
    ]  # fmt: skip
