"""Which training a step goes on with, which it refuses, and which are removed."""

import errno
import fcntl
import subprocess
import sys
import time

import numpy as np
import pytest

from components.shared.errors import PipelineError, TrainingStopped, UsageError
from components.shared.files import read_json, write_json
from components.train.checkpoint_root import identity_of, open_training
from components.train.config import TrainConfig
from components.train.training_folder import TrainingFolder
from components.train.training_state import mark, newest_step, read_state

CONFIG = TrainConfig(epochs=50)
FRESH = TrainConfig(epochs=50, resume="fresh")
STEPS = 20  # an epoch


def open_(root, config=CONFIG, data="data", code="code"):
    return open_training(root, identity_of(data, code, config), config, STEPS)


def trained(root, config=CONFIG, status="running", step=120, age=0.0, **identity):
    """Leave a training that went to a step."""
    with TrainingFolder(root, identity_of(**{"data_digest": "data", "code_version": "code"}
                                          | identity, config=config)) as folder:  # fmt: skip
        if step:
            folder.save_checkpoint({"step": np.int64(step)})
        folder.mark(status, epochs=config.epochs, total_steps=config.epochs * STEPS,
                    begun=config.resume, reason="because", guard_epochs=5)  # fmt: skip
    write_state(folder.path, updated=time.time() - age)
    return folder.path


def write_state(path, **facts):
    write_json(path / "training_state.json", read_state(path) | facts)


def removed(root, *paths):
    return [not path.exists() for path in paths]


OTHER = TrainConfig(epochs=50, generator_learning_rate=2e-4)


def test_another_training_that_waits_is_named_with_all_that_differs(tmp_path):
    waiting = trained(tmp_path, age=3 * 3600)
    with pytest.raises(UsageError) as caught:
        open_(tmp_path, TrainConfig(generator_learning_rate=2e-4, augment=["color"]), "new", "code")
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        f"the training in {waiting} is unfinished (step 120 of 1000, 3 hours old), and this is "
        "another one (data digest data there, new here; train.augment [] there, ['color'] here; "
        "train.generator_learning_rate 0.0001 there, 0.0002 here): set that back to go on with "
        "it, or start over with --set train.resume=fresh"
    )
    assert list(tmp_path.iterdir()) == [waiting], "a refusal leaves nothing"
    with pytest.raises(UsageError, match=r"\(code code there, other here\)"):
        open_(tmp_path, code="other")


def test_the_one_worked_on_last_is_named(tmp_path):
    trained(tmp_path, data_digest="a", age=100)
    latest = trained(tmp_path, data_digest="b", age=10)
    trained(tmp_path, data_digest="c", age=1000)
    with pytest.raises(UsageError, match=f"{latest} .*10 seconds old, and 2 more are"):
        open_(tmp_path)


@pytest.mark.parametrize("status", ["finished", "stopped", "left behind"])
def test_ended_trainings_do_not_stand_in_the_way(tmp_path, status):
    trained(tmp_path, OTHER, status)
    with open_(tmp_path):
        pass


def test_trainings_with_nothing_to_lose_or_under_way_do_not_stand_in_the_way(tmp_path):
    trained(tmp_path, OTHER, step=0)
    live = trained(tmp_path, OTHER, data_digest="live")
    with holder(live), open_(tmp_path), open_(tmp_path, FRESH, data="more"):
        assert read_state(live)["status"] == "running"
    with pytest.raises(UsageError, match="unfinished"):
        open_(tmp_path)


def test_fresh_leaves_the_other_behind_until_it_is_asked_for_again(tmp_path, caplog):
    waiting = trained(tmp_path, OTHER)
    with caplog.at_level("INFO", logger="dcgan.train"), open_(tmp_path, FRESH) as folder:
        assert folder.path != waiting
        folder.save_checkpoint({"step": np.int64(7)})
        folder.mark("finished")
    assert f"leaving behind the training in {waiting}, step 120" in caplog.text
    assert read_state(waiting)["status"] == "left behind"
    with open_(tmp_path, data="another"):
        pass
    with open_(tmp_path, OTHER) as folder:
        assert folder.path == waiting
        assert newest_step(waiting) == 120


def test_fresh_starts_over_once_and_goes_on_when_it_is_retried(tmp_path, caplog):
    own = trained(tmp_path)
    with caplog.at_level("INFO", logger="dcgan.train"), open_(tmp_path, FRESH) as folder:
        assert folder.path == own
        assert newest_step(own) is None
        folder.save_checkpoint({"step": np.int64(40)})
    assert f"starting over: removing what was trained to step 120 in {own}" in caplog.text
    for config in (FRESH, CONFIG):
        with open_(tmp_path, config):
            assert newest_step(own) == 40


def test_fresh_does_not_do_again_what_is_finished(tmp_path):
    own = trained(tmp_path, status="finished", step=1000)
    with open_(tmp_path, FRESH):
        assert newest_step(own) == 1000


def test_all_steps_done_is_not_unfinished(tmp_path):
    """As when it was killed before it could say so."""
    trained(tmp_path, OTHER, step=1000)
    with open_(tmp_path):
        pass


def test_training_past_its_last_epoch(tmp_path, caplog):
    own = trained(tmp_path, FRESH, step=200 * STEPS)
    (own / "sheets" / "epoch-0200.png").touch()
    with pytest.raises(UsageError, match=r"went to epoch 200 already, train.epochs is 50: raise"):
        open_(tmp_path)
    with open_(tmp_path, CONFIG.model_copy(update={"epochs": 200})):
        pass
    with caplog.at_level("INFO", logger="dcgan.train"), open_(tmp_path, FRESH):
        assert newest_step(own) is None
        assert not list((own / "sheets").iterdir())
    assert f"starting over: removing what was trained to step 4000 in {own}" in caplog.text


def test_training_that_was_stopped_is_not_done_again_in_silence(tmp_path):
    own = trained(tmp_path, FRESH, "stopped")
    for config in (CONFIG, FRESH):
        with pytest.raises(TrainingStopped, match=r"before, .* because; .* train.seed \(=0\)"):
            open_(tmp_path, config)
    with open_(tmp_path, CONFIG.model_copy(update={"guard_epochs": 0})):
        assert newest_step(own) == 120


def test_fresh_tries_once_more_what_was_stopped(tmp_path):
    own = trained(tmp_path, status="stopped")
    with open_(tmp_path, FRESH):
        assert newest_step(own) is None


@pytest.mark.parametrize(
    "change",
    [
        {"resume": "fresh"}, {"queue": "weekly"},
        {"epochs": 51}, {"minutes": 5.0}, {"patience": 9}, {"guard_epochs": 0},
        {"cache_gib": 0}, {"checkpoint_seconds": 1}, {"snapshot_epochs": 7}, {"snapshots_kept": 1},
        {"trainings_kept": 0}, {"trainings_kept_days": 0},
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_teach_nothing_are_the_same_training(change):
    other = CONFIG.model_copy(update=change)
    assert identity_of("data", "code", other) == identity_of("data", "code", CONFIG)


@pytest.mark.parametrize("field", sorted(set(TrainConfig.model_fields) - {
    "resume", "queue", "epochs", "minutes", "patience", "guard_epochs", "cache_gib",
    "checkpoint_seconds", "snapshot_epochs", "snapshots_kept", "trainings_kept",
    "trainings_kept_days",
}))  # fmt: skip
def test_each_other_knob_is_another_training(field):
    other = CONFIG.model_copy(update={field: another(getattr(CONFIG, field))})
    assert identity_of("data", "code", other) != identity_of("data", "code", CONFIG)


def another(value):
    match value:
        case bool():
            return not value
        case str():
            return f"another {value}"
        case tuple():
            return (*value, "color")
    return value + 1


def test_two_processes_do_not_work_on_one_training(tmp_path):
    own = trained(tmp_path)
    with holder(own), pytest.raises(PipelineError, match="another process works on the training"):
        open_(tmp_path)
    with open_(tmp_path):
        pass


def test_ended_trainings_go_by_number_and_by_age(tmp_path, caplog):
    day = 86400
    ended = [
        trained(tmp_path, data_digest=str(age), status=status, age=age * day)
        for age, status in enumerate(["finished", "stopped", "left behind", "finished", "finished"])
    ]
    config = CONFIG.model_copy(update={"trainings_kept": 4, "trainings_kept_days": 2.5})
    with caplog.at_level("INFO", logger="dcgan.train"), open_(tmp_path, config):
        assert removed(tmp_path, *ended) == [False, False, False, True, True]
    names = ", ".join(path.name for path in ended[3:])
    assert f"removed 2 ended trainings ({names})" in caplog.text
    config = config.model_copy(update={"trainings_kept": 1})
    with open_(tmp_path, config):
        assert removed(tmp_path, *ended) == [False, True, True, True, True]


def test_what_is_live_unfinished_not_ours_or_about_to_start_stays(tmp_path):
    live = trained(tmp_path, OTHER, "finished", data_digest="live", age=1e9)
    unfinished = trained(tmp_path, OTHER, step=0, age=1e9)
    own = trained(tmp_path, status="finished", age=1e9)
    foreign = tmp_path / "pictures"
    foreign.mkdir()
    write_json(foreign / "training_state.json", {"status": "finished"})
    hidden = tmp_path / ".removed-by-hand"
    hidden.mkdir()
    config = CONFIG.model_copy(update={"trainings_kept": 0, "trainings_kept_days": 0})
    with holder(live), open_(tmp_path, config):
        assert removed(tmp_path, live, unfinished, own, foreign, hidden) == [False] * 5
    with open_(tmp_path, config):
        assert removed(tmp_path, live) == [True]


def test_removal_that_was_killed_is_finished_at_the_next_start(tmp_path):
    ended = trained(tmp_path, OTHER, "finished")
    aside = ended.with_name(f".removed-{ended.name}")
    ended.rename(aside)
    with open_(tmp_path):
        assert not aside.exists()


def test_resumed_training_says_again_that_it_runs(tmp_path):
    own = trained(tmp_path, status="left behind")
    with open_(tmp_path) as folder:
        folder.save_checkpoint({"step": np.int64(121)})
    state = read_json(own / "training_state.json")
    assert state["status"] == "running"
    assert state["total_steps"] == 1000
    mark(own, "finished")
    assert read_state(own)["status"] == "finished"


def test_without_locks_others_are_left_alone(tmp_path, monkeypatch):
    waiting = trained(tmp_path)
    ended = trained(tmp_path, OTHER, "finished", age=1e9)

    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with open_(tmp_path, data="another"):
        assert read_state(waiting)["status"] == "running"
        assert ended.exists()


class holder:
    """Another process that works on a training."""

    def __init__(self, path):
        code = (
            "import fcntl, sys\n"
            "file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX)\n"
            "print('held', flush=True); input()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, str(path / ".lock")], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self):
        assert self._process.stdout.readline() == "held\n"

    def __exit__(self, *_):
        self._process.communicate("\n")

    def kill(self):
        """End it by no act of its own; it is waited for as the block ends."""
        self._process.kill()
