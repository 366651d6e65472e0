"""The order of the pictures, and that it is the same from memory and from the shards."""

import itertools
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.shared.errors import PipelineError
from components.shared.files import read_json, write_json
from components.shared.pixels import normalize as normalize_pixels
from components.shared.records import Record, write_shard
from components.train.batches import batches, open_pictures
from components.train.config import TrainConfig

COUNT, SIDE = 43, 8
HELD = TrainConfig(epochs=3, batch_size=20, seed=1)  # larger than what a thread reads in one go
READ = HELD.model_copy(update={"cache_gib": 0.0})


@pytest.fixture
def records(tmp_path):
    """A folder like ingest's with pictures 0 to 42, each of one colour, in uneven shards."""
    return write_records(tmp_path / "records", [10, 0, 30, 3, 0])


def write_records(folder, shards, side=SIDE):
    folder.mkdir()
    numbers = iter(range(sum(shards)))
    for index, count in enumerate(shards):
        pictures = (
            Record(f"{number:064x}", bytes([number % 256]) * (side**2 * 3))
            for number in itertools.islice(numbers, count)
        )
        write_shard(folder / f"train-{index:05d}-of-{len(shards):05d}.tfrecord", pictures)
    write_json(folder / "manifest.json", {"image_size": side, "counts": {"train": sum(shards)}})
    return folder


def opened(records, config):
    return open_pictures(records, read_json(records / "manifest.json"), config)


def decode(images):
    return tf.cast(tf.io.decode_raw(images, tf.uint8), tf.float32)


def decode_and_normalize(images):
    return normalize_pixels(decode(images))


def given(records, config, first_step=0, convert=decode, rows=slice(None)):
    """Yield batches as arrays."""
    with opened(records, config) as pictures:
        assert isinstance(pictures, list) == (config.cache_gib > 0)
        for batch in batches(pictures, convert, config, first_step, rows):
            assert batch.labels is None
            yield batch.images.numpy()


def seen(records, config, first_step=0, rows=slice(None)):
    """Numbers of the pictures: int [steps, rows]."""
    shown = list(given(records, config, first_step, rows=rows))
    assert all(np.ptp(batch, axis=1).max() == 0 for batch in shown)
    return np.array([batch[:, 0] for batch in shown], int)


@pytest.fixture(params=[HELD, READ], ids=["held in memory", "read from the shards"])
def config(request):
    return request.param


def test_each_epoch_shows_a_picture_at_most_once_and_drops_the_remainder(records, config):
    epochs = seen(records, config).reshape(3, 2 * 20)
    assert all(len(set(epoch)) == 40 for epoch in epochs)
    assert set(epochs.flat) == set(range(COUNT)), "a remainder is another one each time"


def test_epochs_differ_in_order(records, config):
    first, second, third = seen(records, config).reshape(3, 40).tolist()
    assert first != second != third


def test_order_is_that_of_numpy(records, config):
    order = np.random.default_rng([1, 2]).permutation(COUNT)
    np.testing.assert_array_equal(seen(records, config, 4), order[:40].reshape(2, 20))


def test_order_goes_on_where_it_stopped(records, config):
    everything = seen(records, config)
    for done in range(6):
        np.testing.assert_array_equal(seen(records, config, done), everything[done:])
    assert len(seen(records, config, 6)) == 0


def test_another_seed_is_another_order(records, config):
    other = config.model_copy(update={"seed": 2})
    assert np.any(seen(records, config) != seen(records, other))


def test_rows_of_all_hosts_are_the_batch(records, config):
    parts = [seen(records, config, 1, slice(*ends)) for ends in [(0, 3), (3, 20)]]
    assert [part.shape for part in parts] == [(5, 3), (5, 17)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), seen(records, config, 1))


def test_a_training_may_change_from_memory_to_shards(tmp_path, random_images):
    """The batches are the same, to the bit, wherever it went on."""
    folder = tmp_path / "records"
    folder.mkdir()
    for index, images in enumerate(np.split(random_images, 2)):
        pictures = [Record("", image.tobytes()) for image in images]
        write_shard(folder / f"train-{index:05d}-of-00002.tfrecord", pictures)
    write_json(folder / "manifest.json", {"image_size": 32, "counts": {"train": 24}})
    changes = {"epochs": 30, "batch_size": 5}
    whole, *rest = [
        list(given(folder, config.model_copy(update=changes), first_step, decode_and_normalize))
        for config, first_step in [(HELD, 0), (READ, 0), (HELD, 3), (READ, 77)]
    ]
    assert [len(part) for part in (whole, *rest)] == [120, 120, 117, 43]
    for part in rest:
        np.testing.assert_array_equal(part, whole[-len(part) :])
    order = np.random.default_rng([1, 0]).permutation(24)
    pixels = random_images.reshape(24, -1)[order[:5]].astype(np.float32)
    np.testing.assert_allclose(whole[0], normalize_pixels(pixels), atol=1e-6)


def test_pictures_are_held_where_they_fit_and_the_log_says_so(records, caplog):
    gib = COUNT * SIDE**2 * 3 / 2**30
    for share, held in ((1, True), (0.99, False)):
        config = HELD.model_copy(update={"cache_gib": gib * share})
        with caplog.at_level("INFO", logger="dcgan.train"), opened(records, config) as pictures:
            assert isinstance(pictures, list) == held
    assert [line.partition(" (")[0] for line in caplog.messages] == [
        "43 pictures, 0 MB, held in memory",
        "43 pictures, 0 MB, read from 5 shards: more than train.cache_gib",
    ]


@pytest.mark.parametrize("shards", [[20, 22], [20, 24]], ids=["fewer", "more"])
def test_shards_that_do_not_hold_what_the_manifest_counts_are_refused(tmp_path, config, shards):
    records = write_records(tmp_path / "records", shards)
    write_json(records / "manifest.json", {"image_size": SIDE, "counts": {"train": COUNT}})
    holds = "42" if sum(shards) == 42 else "more"
    message = f"manifest.json counts 43 training pictures, but the shards beside it hold {holds}"
    with pytest.raises(PipelineError, match=message), opened(records, config):
        pass
    assert handles(records) == []


def test_a_damaged_record_is_named_and_ends_the_reading(records):
    path = records / "train-00002-of-00005.tfrecord"
    content = bytearray(path.read_bytes())
    content[len(content) // 30 * 7 + 100] ^= 1  # in the eighth of its 30 records
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=f"record 7 .* of {path} is damaged"):
        seen(records, HELD)
    before = threading.active_count()
    with pytest.raises(PipelineError, match=f"record 7 .* of {path} is damaged"):
        seen(records, READ)
    assert threading.active_count() == before
    assert handles(records) == []


@pytest.mark.parametrize("steps", [0, 1, 6])
def test_neither_threads_nor_files_stay(records, config, steps):
    before = threading.active_count()
    with opened(records, config) as pictures:
        reading = batches(pictures, decode, config, 0)
        for _ in range(steps):
            next(reading)
        assert steps == 0 or threading.active_count() > before
        assert len(handles(records)) == (5 if config is READ else 0)
        reading.close()
        assert threading.active_count() == before
    assert handles(records) == []


def handles(folder):
    """Files below `folder` that this process has open."""
    return [
        link for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink() and link.readlink().is_relative_to(folder)
    ]  # fmt: skip


def test_memory_does_not_grow_with_the_pictures_read(tmp_path):
    """Over 12,000 pictures of 12 KB, all different ones; they would be 147 MB."""
    records = write_records(tmp_path / "records", [4000] * 4, side=64)
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "import numpy as np, tensorflow as tf\n"
        "from components.shared.files import read_json\n"
        "from components.train.batches import batches, open_pictures\n"
        "from components.train.config import TrainConfig\n"
        "records = Path(sys.argv[1])\n"
        "config = TrainConfig(epochs=1, batch_size=40, cache_gib=0)\n"
        "manifest = read_json(records / 'manifest.json')\n"
        "decode = lambda images: tf.cast(tf.io.decode_raw(images, tf.uint8), tf.float32)\n"
        "points = []\n"
        "with open_pictures(records, manifest, config) as pictures:\n"
        "    for step, _ in enumerate(batches(pictures, decode, config, 0)):\n"
        "        pages = int(Path('/proc/self/statm').read_text().split()[1])\n"
        "        points.append((step * 40, pages * os.sysconf('SC_PAGE_SIZE')))\n"
        "assert len(points) == 400\n"
        "print(np.polyfit(*np.array(points[100:], float).T, 1)[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, records], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.1 * 64**2 * 3, "bytes a picture"
