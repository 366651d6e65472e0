import os
import random
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.shared.errors import PipelineError, TrainingStopped
from components.train.checkpoints import restore, save_checkpoint, value_of, values_of
from components.train.config import TrainConfig
from components.train.trainer import Trainer
from components.train.training_state import checkpoints_in

WAY_OUT = "start over"


def state_at(step):
    return {
        "step": tf.Variable(step, dtype=tf.int64),
        "generator/000": tf.Variable(tf.random.stateless_normal([40, 5], [step, 0])),
    }


def save(folder, *steps):
    for step in steps:
        save_checkpoint(folder, values_of(state_at(step)))


def restored(folder):
    """Step that is restored, with the values that belong to it."""
    state = state_at(0)
    assert restore(folder, state, WAY_OUT)
    step = int(state["step"].numpy())
    expected = state_at(step)["generator/000"].numpy()
    np.testing.assert_array_equal(state["generator/000"].numpy(), expected)
    return step


def test_newest_two_are_kept_and_the_newest_is_restored(tmp_path):
    assert not restore(tmp_path, state_at(0), WAY_OUT)
    save(tmp_path, 99999998, 99999999, 100000000)
    names = [path.name for path in checkpoints_in(tmp_path)]
    assert names == ["step-100000000.npz", "step-99999999.npz"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert restored(tmp_path) == 100000000


def test_copy_does_not_change_when_training_goes_on():
    config = TrainConfig(batch_size=2, base_width=16, latent_size=8, ema_half_life=5)
    trainer = Trainer(config, 16)
    state = trainer.state()
    copies = values_of(state), trainer.sampler_weights()
    kept = {name: array.copy() for name, array in copies[0].items()}
    weights = [array.copy() for array in copies[1]]
    trainer.train_step(tf.zeros([2, 16, 16, 3]), False)
    for name, array in kept.items():
        np.testing.assert_array_equal(copies[0][name], array, err_msg=name)
    for now, then in zip(copies[1], weights, strict=True):
        np.testing.assert_array_equal(now, then)
    changed = [name for name, array in values_of(state).items() if np.any(array != kept[name])]
    parts = {name.split("/")[0] for name in changed}
    assert parts == {name.split("/")[0] for name in state} - {"seconds"}


def test_value_is_not_copied():
    """At full width a copy would take as long as writing it to a disk."""
    variable = tf.Variable(tf.zeros([40, 5]))
    assert np.shares_memory(value_of(variable), value_of(variable))


def in_several_pieces(step):
    weights = np.random.default_rng(0).standard_normal([600_001, 2], np.float32)
    return {"weights": weights, "step": np.int64(step), "none": np.zeros([0, 3])}


def test_checkpoint_is_a_file_of_numpys(tmp_path):
    """So that people can look into it, and one that `np.savez` wrote is restored."""
    arrays = in_several_pieces(7)
    save_checkpoint(tmp_path, arrays)
    with np.load(tmp_path / "step-00000007.npz") as file:
        assert list(file) == list(arrays)
        for name, array in arrays.items():
            assert (file[name].dtype, file[name].shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(file[name], array)
    np.savez(tmp_path / "step-00000008.npz", **values_of(state_at(8)))
    assert restored(tmp_path) == 8


def test_bytes_are_on_the_disk_before_the_name_is(tmp_path, monkeypatch):
    """A loss of power leaves what was synced, and nothing else for sure."""
    synced, fsync = [], os.fsync

    def observed(descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        size = path.stat().st_size if path.is_file() else None
        synced.append((path.name, size, len(checkpoints_in(tmp_path))))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", observed)
    save(tmp_path, 1)
    size = checkpoints_in(tmp_path)[0].stat().st_size
    assert synced == [(".step-00000001.npz.partial", size, 0), (tmp_path.name, None, 1)]


def test_names_do_not_depend_on_what_the_process_built_before():
    config = TrainConfig(batch_size=2, base_width=16, latent_size=8)
    assert list(Trainer(config, 16).state()) == list(Trainer(config, 16).state())


@pytest.mark.parametrize("seed", range(40))
def test_one_flipped_bit_is_found_or_does_not_matter(tmp_path, seed, caplog):
    save(tmp_path, 1, 2)
    newest = checkpoints_in(tmp_path)[0]
    content = bytearray(newest.read_bytes())
    generator = random.Random(seed)
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    newest.write_bytes(content)
    with caplog.at_level("INFO", logger="dcgan.train"):
        step = restored(tmp_path)
    assert (step == 1) == ("step-00000002.npz is damaged and passed over" in caplog.text)


@pytest.mark.parametrize("size", [0, 10, 500, -1])
def test_cut_off_checkpoint_is_passed_over(tmp_path, size, caplog):
    save(tmp_path, 1, 2)
    newest = checkpoints_in(tmp_path)[0]
    newest.write_bytes(newest.read_bytes()[:size])
    with caplog.at_level("INFO", logger="dcgan.train"):
        assert restored(tmp_path) == 1
    assert "step-00000002.npz is damaged" in caplog.text


def test_only_damaged_checkpoints_are_an_error_that_names_them(tmp_path):
    save(tmp_path, 1, 2)
    for path in checkpoints_in(tmp_path):
        path.write_bytes(b"PK")
    with pytest.raises(
        PipelineError, match=r"damaged \(step-00000002.npz, step-00000001.npz\): start over"
    ):
        restore(tmp_path, state_at(0), WAY_OUT)


@pytest.mark.parametrize(
    "other",
    [
        {"generator/000": tf.Variable(tf.zeros([5, 40]))},
        {"generator/000": tf.Variable(tf.zeros([40, 5], tf.float64))},
        {"generator/001": tf.Variable(0.0)},
    ],
    ids=["shape", "type", "one more"],
)
def test_checkpoint_of_another_network_is_an_error(tmp_path, other):
    save(tmp_path, 1)
    name = next(iter(other))
    with pytest.raises(PipelineError, match=f"1 differing arrays, {name} is"):
        restore(tmp_path, state_at(0) | other, WAY_OUT)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_state_that_is_not_finite_is_never_written(tmp_path, value):
    save(tmp_path, 1)
    arrays = {name: array.copy() for name, array in values_of(state_at(2)).items()}
    arrays["generator/000"][3, 3] = value
    with pytest.raises(TrainingStopped, match="generator/000 is no longer finite after step 2"):
        save_checkpoint(tmp_path, arrays)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.npz"]


def test_last_value_of_a_large_array_counts(tmp_path):
    arrays = in_several_pieces(2)
    arrays["weights"][-1, -1] = float("nan")
    with pytest.raises(TrainingStopped, match="weights is no longer finite after step 2"):
        save_checkpoint(tmp_path, arrays)
    assert not list(tmp_path.iterdir())


def test_full_disk_leaves_the_older_checkpoints(tmp_path):
    save(tmp_path, 1, 2)
    (tmp_path / ".step-00000003.npz.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, 3)
    assert len(list(tmp_path.iterdir())) == 2
    assert restored(tmp_path) == 2
