"""Which precision a training computes in; bfloat16 is emulated where the CPU has none."""

import pytest

from components.shared.files import read_json
from components.train import precision
from components.train.config import TrainConfig
from components.train.precision import faster, images_per_second
from components.train.step import train
from components.train.training_state import mark, read_state
from tests.components.train.conftest import CODE, assert_same_training, only_folder

CONFIG = TrainConfig(epochs=1, batch_size=8, base_width=16, latent_size=8, ema_half_life=50)
BOTH = ("float32", "bfloat16")


def run(inputs, tmp_path, name="training", checkpoints="checkpoints", **settings):
    config = CONFIG.model_copy(update=settings)
    return train(*inputs, tmp_path / name, tmp_path / checkpoints, CODE, config)


@pytest.fixture
def no_timing(monkeypatch):
    def refuse(*_):
        raise AssertionError("steps are timed")

    monkeypatch.setattr(precision, "images_per_second", refuse)


@pytest.mark.parametrize(
    ("bfloat16", "taken"), [(90.0, "float32"), (101.0, "float32"), (110.0, "bfloat16")]
)
def test_the_faster_one_is_taken_unless_it_may_be_chance(bfloat16, taken):
    assert faster({"float32": 100.0, "bfloat16": bfloat16}) == taken


def test_steps_are_timed_in_each_precision_in_turns(monkeypatch):
    steps = []

    def note(trainer, pictures, penalize, time=precision._seconds_of_step):
        assert pictures.shape == (8, 32, 32, 3)
        steps.append((trainer.generator.layers[1].compute_dtype, penalize))
        seconds = time(trainer, pictures, penalize)
        assert int(trainer.step.numpy()) == steps.count(steps[-1]), "it is really done"
        return seconds

    monkeypatch.setattr(precision, "_seconds_of_step", note)
    settings = {"r1_weight": 1.0, "r1_interval": 1}
    rates = images_per_second(CONFIG.model_copy(update=settings), 32, 8, BOTH)
    assert list(rates) == ["float32", "bfloat16"]
    assert all(rate > 0 for rate in rates.values())
    assert steps == [("float32", True), ("bfloat16", True)] * (len(steps) // 2)
    assert len(steps) >= 2 * 4, "one to trace, three turns"


def test_the_fastest_step_of_each_counts(monkeypatch):
    seconds = {"float32": iter([9.0, 0.2, 0.1, 0.5]), "bfloat16": iter([9.0, 0.3, 0.4, 0.2])}
    monkeypatch.setattr(precision, "_SECONDS", 0.0)
    monkeypatch.setattr(
        precision,
        "_seconds_of_step",
        lambda trainer, *_: next(seconds[trainer.generator.layers[1].compute_dtype]),
    )
    assert images_per_second(CONFIG, 32, 8, BOTH) == {"float32": 80.0, "bfloat16": 40.0}


def test_timing_is_logged_and_kept_and_leaves_the_training_as_it_is(
    inputs, tmp_path, claim_cpu, caplog
):
    claim_cpu("avx512_bf16")
    with caplog.at_level("INFO", logger="dcgan.train"):
        summary = run(inputs, tmp_path)
    folder = only_folder(tmp_path / "checkpoints")
    state = read_state(folder)
    rates = state["timed_images_per_second"]
    assert set(rates) == set(BOTH)
    taken = faster(rates)
    assert summary["dtype"] == state["dtype"] == precision._POLICIES[taken]
    figures = f"{rates['float32']:.0f} img/s in float32, {rates['bfloat16']:.0f} img/s in bfloat16"
    assert f"computing in {taken} ({figures})" in caplog.text
    run(inputs, tmp_path, "other", "other.checkpoints", precision=taken)
    assert_same_training(folder, only_folder(tmp_path / "other.checkpoints"))


@pytest.mark.usefixtures("no_timing")
def test_nothing_is_timed_where_there_is_no_choice(inputs, tmp_path, claim_cpu, caplog):
    claim_cpu("avx2")
    with caplog.at_level("INFO", logger="dcgan.train"):
        assert run(inputs, tmp_path)["dtype"] == "float32"
        claim_cpu("avx512_bf16")
        asked = run(inputs, tmp_path, "asked", precision="bfloat16")
    assert "computing in float32 (no bfloat16 hardware)" in caplog.text
    assert asked["dtype"] == "mixed_bfloat16"
    assert "computing in bfloat16 (train.precision=bfloat16)" in caplog.text


def test_training_stays_with_what_it_began_in(inputs, tmp_path, claim_cpu, monkeypatch, caplog):
    """Whatever would be faster now; but where nothing computes in it, it says so."""
    claim_cpu("avx512_bf16")
    monkeypatch.setattr(precision, "images_per_second", lambda *_: {"float32": 1, "bfloat16": 2})
    assert run(inputs, tmp_path)["dtype"] == "mixed_bfloat16"
    monkeypatch.setattr(precision, "images_per_second", lambda *_: {"float32": 2, "bfloat16": 1})
    with caplog.at_level("INFO", logger="dcgan.train"):
        assert run(inputs, tmp_path, "second", epochs=2)["dtype"] == "mixed_bfloat16"
        assert "computing in bfloat16 (as before)" in caplog.text
        assert "no longer to the bit" not in caplog.text
        claim_cpu("avx2")
        assert run(inputs, tmp_path, "third", epochs=3)["dtype"] == "float32"
    assert "computing in float32 (no bfloat16 hardware)" in caplog.text
    assert "it computed in mixed_bfloat16 so far: it goes on, but no longer to" in caplog.text


def test_training_that_begins_anew_times_anew(inputs, tmp_path, claim_cpu, monkeypatch):
    """As one that was killed before its first checkpoint, on another machine."""
    claim_cpu("avx512_bf16")
    monkeypatch.setattr(precision, "images_per_second", lambda *_: {"float32": 2, "bfloat16": 1})
    run(inputs, tmp_path)
    folder = only_folder(tmp_path / "checkpoints")
    for checkpoint in (folder / "checkpoints").iterdir():
        checkpoint.unlink()
    mark(folder, "running", dtype="mixed_bfloat16")
    assert run(inputs, tmp_path, "again")["dtype"] == "float32"
    assert read_json(tmp_path / "again" / "training.json")["dtype"] == "float32"
