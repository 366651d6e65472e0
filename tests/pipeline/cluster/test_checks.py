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
        (["ingest.staging=/shared"], "ingest.staging (=/shared): no pod would find it"),
        (["transform.staging=/shared"], "transform.staging (=/shared): no pod would find it"),
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
        ["train.batch_size=12", "cluster.train.gpus=4"],
        ["train.batch_size=10", "cluster.train.gpus=0"],
        ["train.batch_size=10", "cluster.train.gpus=4", "cluster.train.gpu_type=nvidia.com/mig-1g"],
        ["export.formats=[tflite]", "export.animations=[webp, mp4]"],
    ],
)
def test_what_a_cluster_could_run_is_not(settings):
    assert check(*settings) == []


def test_what_an_image_of_ones_own_holds_is_not_known():
    own = "cluster.images={export: 'x.io/e:1', evaluate: 'x.io/v:1'}"
    (extractor, package) = check(own, EXTRACTOR.format("/opt/model"), "export.formats=[onnx]")
    assert extractor == "whether x.io/v:1 holds /opt/model is not checked from here"
    assert package == "whether x.io/e:1 holds tf2onnx is not checked from here"
