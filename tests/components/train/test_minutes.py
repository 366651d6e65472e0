"""Trainings that end by the clock, against the same ones by their number of epochs."""

import signal

import pytest

from components.shared.files import read_json
from components.train.config import TrainConfig
from components.train.progress import Progress
from components.train.step import train
from components.train.training_state import read_state
from tests.components.train.conftest import CODE, assert_same_training, only_folder

MINUTES = 100  # which no test takes; where time is to be used up, it is made to pass
HOUR = 3600
CONFIG = TrainConfig(
    epochs=8, minutes=MINUTES, batch_size=4, base_width=16, latent_size=8, ema_half_life=50,
    snapshot_epochs=3, checkpoint_seconds=1e6, precision="float32",
)  # fmt: skip
STEPS = 6  # an epoch


def by_minutes(minutes):
    return CONFIG.model_copy(update={"minutes": minutes})


def snapshots(folder):
    """Those that there are, each with both networks."""
    names = {path.name for path in (folder / "snapshots").iterdir()}
    found = {name.partition(".")[0] for name in names}
    assert names == {f"{one}{end}" for one in found for end in (".keras", ".discriminator.npz")}
    return found


def assert_repeated(start, tmp_path, config):
    """The training below `checkpoints` is that which ends after as many epochs."""
    repeated = start(config, "repeated", "repeated.checkpoints")
    assert repeated.wait() == 0, repeated.log
    folders = (only_folder(tmp_path / name) for name in ("checkpoints", "repeated.checkpoints"))
    assert_same_training(*folders)


def test_time_used_up_by_two_processes_ends_the_training_as_its_epochs_do(start, tmp_path):
    """Each uses up an hour, of an hour and forty minutes."""
    killed = start(CONFIG, "never", time_passes=[3, HOUR], checkpoint_at=9, kill_at=11)
    assert killed.wait() == -signal.SIGKILL, killed.log
    resumed = start(CONFIG, "ended", time_passes=[20, HOUR])
    assert resumed.wait() == 0, resumed.log
    assert resumed.events("from") == [9]
    assert "train.minutes (=100) are used up (2h00m): epoch 4 is the last one" in resumed.log
    ended = read_json(tmp_path / "ended" / "training.json")
    assert (ended["epochs"], ended["steps"], ended["images_seen"]) == (4, 24, 96)
    assert ended["seconds"] > 2 * HOUR
    assert ended["config"] == CONFIG.by_epochs(4).model_dump(mode="json")
    folder = only_folder(tmp_path / "checkpoints")
    assert snapshots(folder) == {"epoch-0000", "epoch-0003", "epoch-0004"}
    assert_repeated(start, tmp_path, TrainConfig(**ended["config"]))

    for config in (CONFIG, by_minutes(MINUTES / 2), CONFIG.by_epochs(4)):
        again = start(config, f"again-{config.minutes}")
        assert again.wait() == 0, again.log
        assert "already trained to step 24" in again.log
        assert read_json(tmp_path / f"again-{config.minutes}" / "training.json") == ended | {
            "resumed_from_step": 24
        }


def test_more_minutes_go_on_from_where_the_former_ones_ended(start, tmp_path):
    """The snapshot goes that was taken only because it ended there, and so does that end itself:
    the same minutes as at first then end the training where it has come to.
    """
    first = start(CONFIG, "first", time_passes=[20, 2 * HOUR])
    assert first.wait() == 0, first.log
    longer = start(by_minutes(3 * MINUTES), "never", checkpoint_at=27, kill_at=28)
    assert longer.wait() == -signal.SIGKILL, longer.log
    assert longer.events("from") == [24]
    last = start(CONFIG, "last")
    assert last.wait() == 0, last.log
    assert last.events("done") == [28, 29, 30]
    folder = only_folder(tmp_path / "checkpoints")
    assert snapshots(folder) == {"epoch-0000", "epoch-0003", "epoch-0005"}
    assert_repeated(start, tmp_path, CONFIG.by_epochs(5))


def test_killed_while_it_ends_it_ends_with_the_same_epoch(start, tmp_path):
    """Though the steps that were lost may be quicker the second time."""
    killed = start(CONFIG, "never", time_passes=[20, 2 * HOUR], kill_in_fsync=[24, 0])
    assert killed.wait() == -signal.SIGKILL, killed.log
    folder = only_folder(tmp_path / "checkpoints")
    assert "epoch-0004" in snapshots(folder)
    resumed = start(CONFIG, "resumed")
    assert resumed.wait() == 0, resumed.log
    assert resumed.events("from") == [18]
    assert resumed.events("done")[-1] == 24
    assert_repeated(start, tmp_path, CONFIG.by_epochs(4))


def test_time_that_is_used_up_at_the_end_of_an_epoch_ends_the_training_there(inputs, tmp_path):
    """As of one that was asked to stop in the last step of an epoch, and of fewer minutes."""
    arguments = (tmp_path / "checkpoints", CODE)
    train(*inputs, tmp_path / "first", *arguments, CONFIG.by_epochs(2))
    summary = train(*inputs, tmp_path / "second", *arguments, by_minutes(1e-6))
    assert summary["resumed_from_step"] == 2 * STEPS
    assert summary["epochs"] == 2
    assert snapshots(tmp_path / "second") == {"epoch-0000", "epoch-0002"}
    state = read_state(only_folder(tmp_path / "checkpoints"))
    assert (state["status"], state["total_steps"]) == ("finished", 2 * STEPS)


def test_epochs_are_the_end_where_they_come_first(inputs, tmp_path):
    config = CONFIG.model_copy(update={"epochs": 2})
    summary = train(*inputs, tmp_path / "training", tmp_path / "checkpoints", CODE, config)
    assert summary["epochs"] == 2
    assert summary["config"] == CONFIG.by_epochs(2).model_dump(mode="json")


@pytest.mark.parametrize(
    ("minutes", "done", "seconds", "share"),
    [(0, 12, 1e9, 0.25), (10, 12, 60, 0.25), (10, 12, 300, 0.5), (10, 12, 601, 1.0)],
)
def test_share_that_is_over_is_that_of_steps_or_of_time(minutes, done, seconds, share):
    assert Progress(by_minutes(minutes), 48, 0).share(done, seconds) == share


def test_time_left_is_that_of_the_minutes_where_they_end_first(caplog, monkeypatch):
    clock = iter([0.0, 10.0, 20.0])
    monkeypatch.setattr("components.train.progress.time.monotonic", lambda: next(clock))
    progress = Progress(by_minutes(2), 480, 0)
    means = {"discriminator_loss": 1.0, "generator_loss": 1.0}
    with caplog.at_level("INFO", logger="dcgan.train"):
        shown = progress.show(12, STEPS, means, 30.0)
        progress.show(440, STEPS, means, 30.0)
    assert "epoch 2 step 12 (25%) 5 img/s D 1.00 G 1.00 left 1m30s" in caplog.text
    assert shown == {
        "step": 12, "epoch": 2, "images_per_second": 4.8, "seconds_left": 90.0, "share": 0.25
    }  # fmt: skip
    assert "epoch 74 step 440 (92%) 171 img/s D 1.00 G 1.00 left 0m01s" in caplog.text
