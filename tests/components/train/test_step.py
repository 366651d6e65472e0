"""Trainings of a tiny network in this process."""

import shlex
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from components.shared.errors import DataRefused, Terminated, TrainingStopped
from components.shared.files import read_json, read_json_lines, write_json
from components.shared.normalization import to_pixels
from components.shared.pictures import grid
from components.train.config import TrainConfig
from components.train.loop import TrainingLoop
from components.train.networks import build_generator
from components.train.step import train
from components.train.trainer import Trainer
from components.train.training_folder import TrainingFolder, evenly_spread
from components.train.training_state import mark, read_state
from tests.components.train.conftest import assert_same_results

CONFIG = TrainConfig(
    epochs=3, batch_size=8, base_width=16, latent_size=8, snapshots_kept=2,
    ema_half_life=50, r1_weight=1.0, r1_interval=2, augment=("color", "translation"),
    precision="float32",
)  # fmt: skip


def run(inputs, tmp_path, name="training", config=CONFIG, checkpoints="checkpoints"):
    return train(*inputs, tmp_path / name, tmp_path / checkpoints, "code", config)


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def snapshots_of(*epochs):
    """Names of what is kept of these epochs."""
    kinds = ("keras", "discriminator.npz")
    return {f"epoch-{epoch:04d}.{kind}" for epoch in epochs for kind in kinds}


def test_training_leaves_sheets_snapshots_curves_and_events(inputs, tmp_path):
    summary = run(inputs, tmp_path)
    training = tmp_path / "training"
    assert summary["steps"] == 9
    assert summary["images_seen"] == 72
    assert summary["data"]["counts"]["train"] == 24
    assert summary["descends_from"] is None
    assert read_json(training / "training.json") == summary
    assert names_in(training / "snapshots") == snapshots_of(0, 3)
    sheets = sorted((training / "sheets").iterdir())
    assert [path.name for path in sheets] == [f"epoch-000{epoch}.png" for epoch in range(4)]
    pixels = np.asarray(Image.open(sheets[-1]))
    assert pixels.shape == (4 * 34 + 2, 4 * 34 + 2, 3)
    assert np.ptp(pixels.astype(int), axis=-1).max() > 0, "in colour"
    rows = read_json_lines(training / "metrics.jsonl")
    assert [row["step"] for row in rows] == [3, 6, 9]
    assert all(row["discriminator_loss"] > 0 and row["generator_loss"] > 0 for row in rows)
    assert len(list((training / "tensorboard").iterdir())) == 1


def test_beginning_names_the_command_that_shows_its_events(inputs, tmp_path, caplog, monkeypatch):
    """By a path that is short where whoever started it is above; the folders below are found."""
    monkeypatch.chdir(tmp_path)
    with caplog.at_level("INFO", logger="dcgan.train"):
        run(inputs, tmp_path, checkpoints="check points")
        run(inputs, tmp_path, "again", checkpoints="check points")
    (line,) = [line for line in caplog.messages if "TensorBoard" in line]  # the second did nothing
    _, command, option, folder = shlex.split(line)
    assert (command, option) == ("tensorboard", "--logdir")
    assert Path(folder).parent == Path("check points")
    assert EventAccumulator(f"{folder}/tensorboard").Reload().Tags()["tensors"]


def test_how_far_it_is_can_be_read_while_it_goes_on(inputs, tmp_path, monkeypatch):
    seen, after = [], TrainingLoop._after

    def look(loop, done):
        after(loop, done)
        loop._writer.flush()
        seen.append(read_state(loop._folder.path)["progress"])

    monkeypatch.setattr(TrainingLoop, "_after", look)
    monkeypatch.setattr("components.train.progress._SECONDS_BETWEEN_LINES", 0.0)
    run(inputs, tmp_path)
    assert [(one["step"], one["epoch"]) for one in seen] == [
        (step, -(-step // 3)) for step in range(1, 10)
    ]
    assert [one["share"] for one in seen] == [round(step / 9, 4) for step in range(1, 10)]
    assert seen[0]["images_per_second"] > 0 < seen[0]["seconds_left"]
    assert seen[-1]["seconds_left"] == 0


def test_snapshot_is_the_generator_that_drew_the_last_sheet(inputs, tmp_path):
    run(inputs, tmp_path)
    generator = keras.models.load_model(tmp_path / "training/snapshots/epoch-0003.keras")
    values = generator(Trainer(CONFIG, 32).sheet.latents, training=False)
    pixels = np.rint(np.asarray(values) * 127.5 + 127.5).clip(0, 255).astype(np.uint8)
    with Image.open(tmp_path / "training/sheets/epoch-0003.png") as sheet:
        np.testing.assert_array_equal(np.asarray(sheet), grid(pixels, 4))


def test_snapshot_has_the_discriminator_as_it_was_after_that_epoch(inputs, tmp_path):
    """Though the training goes on while it is written."""
    run(inputs, tmp_path, config=CONFIG.model_copy(update={"snapshots_kept": 3}))
    run(inputs, tmp_path, "two", CONFIG.model_copy(update={"epochs": 2}), "two.checkpoints")
    (folder,) = (tmp_path / "two.checkpoints").iterdir()
    with (
        np.load(tmp_path / "training/snapshots/epoch-0002.discriminator.npz") as saved,
        np.load(max((folder / "checkpoints").iterdir())) as state,
    ):
        names = list(saved)
        assert {saved[name].dtype for name in names} == {np.dtype(np.float32)}
        assert names[:4] == ["conv_32/kernel", "conv_16/kernel", "conv_8/kernel", "logit/kernel"]
        # The state has each kernel with its bias.
        for index, name in enumerate(names):
            number = 2 * (index % 4) + index // 4
            np.testing.assert_array_equal(saved[name], state[f"discriminator/{number:02}"], name)


def test_finished_training_is_not_done_again(inputs, tmp_path, caplog):
    first = run(inputs, tmp_path)
    with caplog.at_level("INFO", logger="dcgan.train"):
        second = run(inputs, tmp_path, "again")
    assert "already trained to step 9" in caplog.text
    assert second["resumed_from_step"] == 9
    assert second["seconds"] == first["seconds"]
    assert_same_results(tmp_path / "training", tmp_path / "again")


@pytest.mark.parametrize(
    ("epoch", "every", "kept", "before"),
    [
        (0, 1, 1, []),
        (7, 1, 1, []),
        (7, 1, 8, [0, 1, 2, 3, 4, 5, 6]),
        (8, 1, 8, [0, 2, 4, 6]),
        (148, 15, 8, [0, 30, 60, 90, 120]),
        (105, 15, 8, [0, 15, 30, 45, 60, 75, 90]),
        (10001, 1, 3, [0, 8192]),
    ],
)
def test_snapshots_are_spread_evenly_over_the_training(epoch, every, kept, before):
    assert [*evenly_spread(epoch, every, kept)] == before


def test_a_training_of_any_length_keeps_the_newest_and_few_others(tmp_path):
    """And one that was killed, and makes its last epochs again, keeps the same."""
    generator = build_generator(CONFIG, 32)
    with TrainingFolder(tmp_path, {}) as folder:
        for epoch in [*range(0, 20, 3), 9, 12, 15, 18, 20]:
            folder.save_snapshot(epoch, generator, {}, every=3, kept=4)
        assert names_in(folder.path / "snapshots") == snapshots_of(0, 12, 20)


def test_last_snapshot_before_a_training_went_wrong_is_kept(tmp_path):
    generator = build_generator(CONFIG, 32)
    with TrainingFolder(tmp_path, {}) as folder:
        for epoch in range(1, 10):
            spared = [4] if epoch > 4 else []
            folder.save_snapshot(epoch, generator, {}, every=1, kept=2, spared=spared)
        assert names_in(folder.path / "snapshots") == snapshots_of(4, 9)
        folder.save_snapshot(10, generator, {}, every=1, kept=2)
        assert names_in(folder.path / "snapshots") == snapshots_of(10)


def test_too_few_pictures_for_a_batch_are_refused(inputs, tmp_path):
    with pytest.raises(DataRefused, match=r"24 training pictures .* \(=25\)"):
        run(inputs, tmp_path, config=CONFIG.model_copy(update={"batch_size": 25}))
    assert not (tmp_path / "training").exists()


def test_loss_that_is_not_finite_stops_the_training(inputs, tmp_path):
    config = CONFIG.model_copy(update={"discriminator_learning_rate": 1e30})
    with pytest.raises(TrainingStopped, match="no longer finite after step"):
        run(inputs, tmp_path, config=config)
    assert not (tmp_path / "training").exists()
    with pytest.raises(TrainingStopped, match=r"stopped before, .* no longer finite"):
        run(inputs, tmp_path, config=config)


def test_training_that_explodes_is_stopped_and_its_last_good_snapshot_kept(
    inputs, tmp_path, monkeypatch
):
    """It explodes by a learning rate of 1, after a start that went well."""
    config = CONFIG.model_copy(update={"epochs": 400, "snapshot_epochs": 10})

    def spoil(loop, done, after=TrainingLoop._after):
        if done == 60:
            loop._trainer._discriminator_optimizer._learning_rate = 1.0
            loop._trainer.train_step = tf.function(loop._trainer._train_step)
        after(loop, done)

    monkeypatch.setattr(TrainingLoop, "_after", spoil)
    with pytest.raises(TrainingStopped, match=r"logits have exploded .* snapshots: .*/snapshots"):
        run(inputs, tmp_path, config=config)
    (folder,) = (tmp_path / "checkpoints").iterdir()
    last = read_json_lines(folder / "metrics.jsonl")[-1]
    assert last["step"] < 800, "500 steps after it went wrong"
    kept = names_in(folder / "snapshots")
    assert kept >= snapshots_of(20)
    assert len(kept) == 2 * (config.snapshots_kept + 1)
    assert read_json(folder / "training_state.json")["status"] == "stopped"
    assert not (tmp_path / "training").exists()


def test_weights_that_are_not_finite_are_never_saved(inputs, tmp_path, monkeypatch):
    """Though the loss of that step still was: it came before the weights were changed."""
    after = TrainingLoop._after

    def spoil(loop, done):
        if done == 6:
            values = loop._trainer.generator.weights[-1]
            values.assign(values * np.nan)
        after(loop, done)

    monkeypatch.setattr(TrainingLoop, "_after", spoil)
    config = CONFIG.model_copy(update={"ema_half_life": 0})
    with pytest.raises(TrainingStopped, match="no longer finite after step"):
        run(inputs, tmp_path, config=config)
    (folder,) = (tmp_path / "checkpoints").iterdir()
    assert read_json(folder / "training_state.json")["status"] == "stopped"
    assert names_in(folder / "snapshots") == snapshots_of(0, 1)
    assert not (folder / "sheets" / "epoch-0002.png").exists()
    for path in (folder / "checkpoints").iterdir():
        with np.load(path) as arrays:
            assert all(np.isfinite(arrays[name]).all() for name in arrays)


def test_fewer_epochs_end_where_the_training_was_stopped(inputs, tmp_path, monkeypatch):
    """The last epoch has a snapshot even if it was not to have one."""
    longer = CONFIG.model_copy(update={"snapshot_epochs": 4, "checkpoint_seconds": 0, "epochs": 5})

    def stop(loop, done, after=TrainingLoop._after):
        after(loop, done)
        if done == 6:
            loop._save(done)
            raise Terminated("stopped")

    with monkeypatch.context() as patch, pytest.raises(Terminated):
        patch.setattr(TrainingLoop, "_after", stop)
        run(inputs, tmp_path, "never", longer)
    shorter = longer.model_copy(update={"epochs": 2})
    assert run(inputs, tmp_path, "shorter", shorter)["resumed_from_step"] == 6
    run(inputs, tmp_path, "straight", shorter, "straight.checkpoints")
    assert_same_results(tmp_path / "straight", tmp_path / "shorter")


def scalars(training):
    """TensorBoard's points of one curve."""
    events = EventAccumulator(str(training / "tensorboard")).Reload()
    return events.Tensors("generator_loss")


def test_training_that_goes_on_in_another_precision_says_so(inputs, tmp_path, caplog):
    run(inputs, tmp_path, config=CONFIG.model_copy(update={"precision": "float32"}))
    (folder,) = (tmp_path / "checkpoints").iterdir()
    assert read_json(folder / "training_state.json")["dtype"] == "float32"
    mark(folder, "running", dtype="mixed_bfloat16")
    longer = CONFIG.model_copy(update={"precision": "float32", "epochs": 4})
    with caplog.at_level("INFO", logger="dcgan.train"):
        run(inputs, tmp_path, "longer", longer)
    assert "it computed in mixed_bfloat16 so far" in caplog.text


def test_training_starts_with_published_weights(inputs, tmp_path):
    published = tmp_path / "dcgan" / "1"
    published.mkdir(parents=True)
    generator = build_generator(CONFIG, 32)
    generator.save(published / "generator.keras")
    write_json(published / "model.json", {"digest": "d1gest"})
    config = CONFIG.model_copy(update={"warm_start": str(published), "epochs": 1})
    summary = run(inputs, tmp_path, config=config)
    assert read_json(tmp_path / "training/training.json") == summary
    assert summary["descends_from"]["source"] == str(published)
    assert summary["descends_from"]["digest"] == "d1gest"
    pixels = to_pixels(generator(Trainer(CONFIG, 32).sheet.latents, training=False)).numpy()
    with Image.open(tmp_path / "training/sheets/epoch-0000.png") as sheet:
        np.testing.assert_array_equal(np.asarray(sheet), grid(pixels, 4))
