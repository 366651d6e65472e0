"""The transform step: what the pixels become for the networks, and what they are like."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import schema_utils
from tfx_bsl.public import tfxio

from components.shared.beam_runner import beam_pipeline
from components.shared.contracts import IMAGE, LABEL, MANIFEST, STATISTICS, TRAIN_SPLIT
from components.shared.errors import DataRefused, UsageError
from components.shared.files import complete_or_absent, read_json, write_json
from components.shared.normalization import load_transform_graph
from components.shared.pixels import normalize
from components.shared.records import load_images, shard_paths
from components.shared.staging import Staging, staging_for
from components.transform.config import TransformConfig
from components.transform.enough import refuse_too_few

LOG = logging.getLogger("dcgan.transform")
_LEVEL_COUNTS = "level_counts"  # output of the graph: int64 [B, 256, 3]
_CLASS_SUMS = "class_sums"  # and with classes: int64 [B, K, 7]
_GRAPH = "graph"  # in the staging folder
_GRAPH_FOLDERS = (
    tft.TFTransformOutput.TRANSFORM_FN_DIR,
    tft.TFTransformOutput.TRANSFORMED_METADATA_DIR,
)
_LEVELS = 256
_CHANNELS = 3


def transform(records: Path, transform_graph: Path, config: TransformConfig) -> dict[str, Any]:
    """Analyse the training pictures and write the graph that normalises them.

    The graph (tf.Transform's `transform_fn`) takes raw uint8 pixels as strings [B] and
    gives float32 [B, H, W, 3] in [-1, 1]; trainer and evaluation apply this one.

    Args:
        records: Folder written by ingest.
        transform_graph: Folder to make: `transform_fn/`, `statistics.json`.
        config: Settings of this step.

    Returns:
        The statistics: per channel (red, green, blue) mean, standard deviation, minimum
        and maximum on the scale 0 to 255, and the share of pixels per histogram bin. With
        classes also `classes`, mean and standard deviation of each by its number.

    Raises:
        UsageError: Beam's options or the staging folder are wrong.
        DataRefused: Too few pictures, or all of one colour.
        PipelineError: A record is damaged, or a worker failed.
    """
    _refuse_unknown_storage(config.staging)
    manifest = read_json(records / MANIFEST)
    refuse_too_few(manifest["counts"], config)
    count = manifest["counts"][TRAIN_SPLIT]
    with complete_or_absent(transform_graph) as folder:
        with staging_for(folder, config.staging, "transform.staging") as staging:
            _analyze(_staged(records, staging, config), staging, manifest, config)
            for name in _GRAPH_FOLDERS:
                staging.fetch(f"{_GRAPH}/{name}", folder / name)
        found = load_transform_graph(folder)(load_images(records, TRAIN_SPLIT, limit=1))
        statistics = _describe(found[_LEVEL_COUNTS][0].numpy(), config.histogram_bins)
        if manifest["classes"]:
            statistics["classes"] = _describe_classes(found[_CLASS_SUMS][0].numpy())
        _refuse_one_colour(statistics, records)
        write_json(folder / STATISTICS, {"images": count, **statistics})
    LOG.info(
        "mean %s, standard deviation %s",
        "/".join(f"{value:.0f}" for value in statistics["mean"]),
        "/".join(f"{value:.0f}" for value in statistics["standard_deviation"]),
    )
    return statistics


def _refuse_unknown_storage(staging: str) -> None:
    scheme, separator, _ = staging.partition("://")
    if separator and scheme not in tf.io.gfile.get_registered_schemes():
        raise UsageError(
            f"transform.staging: TensorFlow cannot write to '{staging}': name a folder that all "
            "workers reach, or gs://bucket/prefix"
        )


def _staged(records: Path, staging: Staging, config: TransformConfig) -> list[str]:
    """Paths or addresses of the training shards, where the workers see them."""
    shards = shard_paths(records, TRAIN_SPLIT)
    if not config.staging:
        return [str(path) for path in shards]
    for path in shards:
        staging.put(path, path.name)
    return [staging.path(path.name) for path in shards]


def _analyze(
    shards: list[str], staging: Staging, manifest: dict[str, Any], config: TransformConfig
) -> None:
    """Write the graph of these pictures to the staging folder."""
    image_size, classes = manifest["image_size"], len(manifest["classes"])
    features = {IMAGE: tf.io.FixedLenFeature([], tf.string)}
    if classes:
        features[LABEL] = tf.io.FixedLenFeature([], tf.int64)
    schema = schema_utils.schema_from_feature_spec(features)
    source = tfxio.TFExampleRecord(shards, schema=schema)

    def preprocess(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        pixels = tf.io.decode_raw(inputs[IMAGE], tf.uint8)
        pixels = tf.reshape(pixels, [-1, image_size, image_size, _CHANNELS])
        found = {_LEVEL_COUNTS: _count_levels(pixels)}
        if classes:
            found[_CLASS_SUMS] = _sum_by_class(pixels, inputs[LABEL], classes)
        sums = {key: tft.sum(one, reduce_instance_dims=False) for key, one in found.items()}
        # An output has one row per picture; the analyzer's result is the same in each.
        rows = [tf.shape(pixels)[0], 1, 1]
        return {
            IMAGE: normalize(tf.cast(pixels, tf.float32)),
            **{key: tf.tile(one[tf.newaxis], rows) for key, one in sums.items()},
        }

    with (
        tft_beam.Context(temp_dir=staging.path("beam")),
        beam_pipeline(config.beam_options, "transform") as pipeline,
    ):
        dataset = (pipeline | "Read" >> source.BeamSource(), source.TensorAdapterConfig())
        graph = dataset | "Analyze" >> tft_beam.AnalyzeDataset(preprocess)
        _ = graph | "Write" >> tft_beam.WriteTransformFn(staging.path(_GRAPH))


def _count_levels(pixels: tf.Tensor) -> tf.Tensor:
    """Count each grey level per channel: uint8 [B, H, W, 3] → int64 [1, 256, 3].

    Counted before the analyzer, so that Beam carries 768 numbers a batch, not pixels.
    """
    flat = tf.cast(tf.reshape(pixels, [-1, _CHANNELS]), tf.int32)
    counts = [
        tf.math.bincount(flat[:, c], minlength=_LEVELS, maxlength=_LEVELS, dtype=tf.int64)
        for c in range(_CHANNELS)
    ]
    return tf.stack(counts, axis=-1)[tf.newaxis]


def _sum_by_class(pixels: tf.Tensor, labels: tf.Tensor, classes: int) -> tf.Tensor:
    """Add up each class: uint8 [B, H, W, 3], int64 [B] → int64 [1, K, 7].

    Of each class the pixels, their levels and their squared levels, per channel.
    """
    levels = tf.cast(pixels, tf.int32)
    powers = tf.ones_like(levels[..., :1]), levels, levels**2
    of_lines = tf.concat([tf.reduce_sum(one, axis=2) for one in powers], axis=-1)
    rows = tf.reduce_sum(tf.cast(of_lines, tf.int64), axis=1)
    return tf.math.unsorted_segment_sum(rows, labels, classes)[tf.newaxis]


def _describe_classes(sums: np.ndarray) -> list[dict[str, list[float]]]:
    """Mean and standard deviation per channel of each class, from int64 [K, 7]."""
    means = sums[:, 1:] / sums[:, :1]
    mean, square = np.split(means, 2, axis=1)
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    return [
        {"mean": one.tolist(), "standard_deviation": other.tolist()}
        for one, other in zip(mean, deviation, strict=True)
    ]


def _describe(levels: np.ndarray, bins: int) -> dict[str, Any]:
    """Turn counts of grey levels, int64 [256, 3], into statistics per channel."""
    value = np.arange(_LEVELS, dtype=np.float64)
    share = levels / levels.sum(axis=0)
    mean = value @ share
    variance = np.maximum((value**2) @ share - mean**2, 0)  # rounding can fall below 0
    present = [np.flatnonzero(levels[:, channel]) for channel in range(_CHANNELS)]
    histogram = [
        np.histogram(value, bins=bins, range=(0, _LEVELS), weights=share[:, channel])[0].tolist()
        for channel in range(_CHANNELS)
    ]
    return {
        "mean": mean.tolist(),
        "standard_deviation": np.sqrt(variance).tolist(),
        "minimum": [int(found[0]) for found in present],
        "maximum": [int(found[-1]) for found in present],
        "histogram": histogram,
    }


def _refuse_one_colour(statistics: dict[str, Any], records: Path) -> None:
    if max(statistics["standard_deviation"]) < 1:
        colour = tuple(round(value) for value in statistics["mean"])
        raise DataRefused(
            f"all training pictures in {records} are of one colour, RGB {colour}: there is "
            "nothing to learn; check the source's pictures"
        )
