"""The training pictures, from memory or from the shards, and the order in which they are seen."""

import contextlib
import itertools
import logging
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf

from components.shared.contracts import MANIFEST, TRAIN_SPLIT
from components.shared.errors import PipelineError
from components.shared.records import RecordReader, read_images, read_labels, shard_paths
from components.train.ahead import ahead
from components.train.config import TrainConfig

LOG = logging.getLogger("dcgan.train")
Item = TypeVar("Item")
Pictures = list[bytes] | RecordReader  # the raw pixels of each picture, by its number

_GROUP = 128  # pictures normalised at once, or a batch: a call costs as much as 30 pictures
_GROUPS_AHEAD = 1
_READING_THREADS = 16  # so many times what one gets from a disk with latency
_PIECE = 16  # pictures that a thread reads in one go
_PIECES_AHEAD = 32  # at least; two batches where that is more


class Batch(NamedTuple):
    """What a step learns from."""

    images: tf.Tensor  # float32 [B, S, S, 3] in [-1, 1]
    labels: tf.Tensor | None  # int32 [B], the class of each; None without classes


@contextlib.contextmanager
def open_pictures(
    records: Path, manifest: dict[str, Any], config: TrainConfig
) -> Iterator[Pictures]:
    """Hold the training pictures in memory where they fit, else read them as needed.

    Args:
        records: Folder written by ingest.
        manifest: What its `manifest.json` holds.
        config: Settings of this step.

    Raises:
        PipelineError: A record is damaged, or the shards hold more or fewer pictures than
            the manifest counts.
    """
    shards = shard_paths(records, TRAIN_SPLIT)
    count = manifest["counts"][TRAIN_SPLIT]
    size = count * manifest["image_size"] ** 2 * 3
    amount = f"{count:,} pictures, {_readable(size)}"
    if size <= config.cache_gib * 2**30:
        # One more than there should be is enough to see that there are too many.
        images = list(itertools.islice(read_images(shards), count + 1))
        _require_count(len(images), count, records)
        LOG.info("%s, held in memory", amount)
        yield images
        return
    with RecordReader(shards) as reader:
        _require_count(len(reader), count, records)
        LOG.info(
            "%s, read from %d shards: more than train.cache_gib (=%g)",
            amount, len(shards), config.cache_gib,
        )  # fmt: skip
        yield reader


def load_labels(records: Path, manifest: dict[str, Any]) -> np.ndarray | None:
    """Class of each training picture, by its number: int32 [N]; None without classes.

    All shards are read for it, once a process.
    """
    if not manifest.get("classes"):
        return None
    labels = read_labels(shard_paths(records, TRAIN_SPLIT))
    return np.fromiter(labels, np.int32, manifest["counts"][TRAIN_SPLIT])


def batches(
    pictures: Pictures,
    normalize: Callable[[tf.Tensor], tf.Tensor],
    config: TrainConfig,
    first_step: int,
    rows: slice = slice(None),
    labels: np.ndarray | None = None,
) -> Generator[Batch, None, None]:
    """Batches of normalised pictures from `first_step` to the end of the last epoch.

    The order within an epoch is a function of (seed, epoch). The remainder of an epoch
    is dropped, so that every batch has as many real pictures as fakes.

    Args:
        pictures: N ≥ batch_size of them.
        normalize: From raw pixels, string [B], to float32 [B, S, S, 3] in [-1, 1].
        config: Settings of this step.
        first_step: Steps already done.
        rows: Of each batch, those to give: all, or those of one host.
        labels: From `load_labels`.

    Yields:
        `batch_size` pictures and labels, or as many rows of each batch.

    Raises:
        PipelineError: A record is damaged.
    """
    batch = len(range(config.batch_size)[rows])
    orders = _orders(len(pictures), config, first_step, rows, labels)
    raw: Iterator[list[bytes]]
    if isinstance(pictures, list):
        raw = ([pictures[number] for number in order] for order in orders)
    else:
        raw = _read_ahead(pictures, orders, batch)
    records = tf.TensorSpec([None], tf.string)
    normalize = tf.function(normalize, input_signature=[records], autograph=False)

    def prepare(group: list[list[bytes]]) -> list[tf.Tensor]:
        with tf.device("CPU"):  # beside the step, whatever device that runs on
            images = normalize(tf.constant(list(itertools.chain.from_iterable(group))))
            return tf.split(images, len(group))

    shown = _orders(len(pictures), config, first_step, rows, labels)
    groups = ahead(prepare, _groups(raw, max(1, _GROUP // batch)), 1, _GROUPS_AHEAD)
    for images in itertools.chain.from_iterable(groups):
        yield Batch(images, None if labels is None else tf.constant(labels[next(shown)]))


def _orders(
    count: int,
    config: TrainConfig,
    first_step: int,
    rows: slice,
    labels: np.ndarray | None,
) -> Iterator[list[int]]:
    """Numbers of the pictures of each batch."""
    size, steps_per_epoch = config.batch_size, count // config.batch_size
    for epoch in range(first_step // steps_per_epoch, config.epochs):
        random = np.random.default_rng([config.seed, epoch])
        if labels is not None and config.class_draws == "balanced":
            order = _balanced(labels, random)
        else:
            order = random.permutation(count)
        for step in range(max(first_step - epoch * steps_per_epoch, 0), steps_per_epoch):
            yield order[step * size : (step + 1) * size][rows].tolist()


def _balanced(labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """As many pictures in all, of each class equally many but for chance.

    Those of a small class come several times, and of a large one only some.
    """
    _, numbers = np.unique(labels, return_inverse=True)  # of the classes that have pictures
    by_class = _places(numbers, numbers.max() + 1)
    drawn = random.integers(len(by_class), size=len(labels))
    order = np.empty(len(labels), np.int64)
    for pictures, places in zip(by_class, _places(drawn, len(by_class)), strict=True):
        rounds = -(-len(places) // len(pictures))
        shuffled = [random.permutation(pictures) for _ in range(rounds)]
        order[places] = np.concatenate([*shuffled, pictures[:0]])[: len(places)]
    return order


def _places(numbers: np.ndarray, count: int) -> list[np.ndarray]:
    """Where each number below `count` stands, in order."""
    ends = np.cumsum(np.bincount(numbers, minlength=count))
    return np.split(np.argsort(numbers, kind="stable"), ends[:-1])


def _read_ahead(
    reader: RecordReader, orders: Iterator[list[int]], batch: int
) -> Iterator[list[bytes]]:
    """Read batches of `batch` pictures, some ahead of the one that is asked for."""
    pieces = (order[at : at + _PIECE] for order in orders for at in range(0, batch, _PIECE))
    pieces_a_batch = -(-batch // _PIECE)
    depth = max(_PIECES_AHEAD, 2 * pieces_a_batch)
    read = ahead(
        lambda piece: [reader[number] for number in piece], pieces, _READING_THREADS, depth
    )
    for parts in _groups(read, pieces_a_batch):
        yield list(itertools.chain.from_iterable(parts))


def _groups(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while group := list(itertools.islice(items, size)):
        yield group


def _require_count(found: int, count: int, records: Path) -> None:
    if found != count:
        raise PipelineError(
            f"{records / MANIFEST} counts {count:,} training pictures, but the shards beside it "
            f"hold {f'{found:,}' if found < count else 'more'}: they do not belong together, "
            "ingest the pictures again"
        )


def _readable(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
