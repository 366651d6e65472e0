from pathlib import Path

import numpy as np
import pytest

from components.shared.contracts import DISCRIMINATOR, GENERATOR, MODEL_INFO
from components.shared.errors import PipelineError, UsageError
from components.train.config import TrainConfig
from components.train.trainer import Trainer
from components.train.warm_start import start_from
from tests.components.train.conftest import save_model, weights_of

CONFIG = TrainConfig(base_width=16, latent_size=8, batch_size=4, ema_half_life=50)


def changed(**changes):
    return CONFIG.model_copy(update=changes)


def assert_taken(trainer, expected, fresh=()):
    """All weights are the expected ones, but those of some layers are as before."""
    before = weights_of(Trainer(trainer._config, 32))
    for name, array in weights_of(trainer).items():
        there = before if name.partition("/")[0] in fresh else expected
        np.testing.assert_array_equal(array, there[name], err_msg=name)


@pytest.mark.parametrize(("path", "version"), [("dcgan", 10), ("dcgan/", 10), ("dcgan/9", 9)])
def test_both_networks_of_the_newest_version_or_of_the_one_named(tmp_path, caplog, path, version):
    published = {
        number: save_model(tmp_path / f"dcgan/{number}", CONFIG, seed=number) for number in (9, 10)
    }
    trainer = Trainer(CONFIG, 32)
    with caplog.at_level("INFO", logger="dcgan.train"):
        origin = start_from(f"{tmp_path}/{path}", trainer)
    assert_taken(trainer, published[version])
    for average, weight in zip(
        trainer.sampler_weights(), trainer.generator.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(average, weight)
    assert origin == {
        "source": f"{tmp_path}/dcgan/{version}",
        "digest": f"digest of {version}",
        "attribution": [],
        "generator": {"taken": 7, "fresh": []},
        "discriminator": {"taken": 4, "fresh": []},
    }
    assert caplog.messages == [
        f"starting from {tmp_path}/dcgan/{version}",
        "generator: taken: dense_4, norm_4, up_8, norm_8, up_16, norm_16, up_32; fresh: nothing",
        "discriminator: taken: conv_32, conv_16, conv_8, logit; fresh: nothing",
    ]


def test_the_origin_is_no_link_that_may_point_elsewhere_tomorrow(tmp_path):
    save_model(tmp_path / "first", CONFIG)
    (tmp_path / "latest").symlink_to("first")
    origin = start_from(f"{tmp_path}/latest", Trainer(CONFIG, 32))
    assert origin["source"] == f"{tmp_path}/first"


def test_layers_that_do_not_fit_begin_fresh(tmp_path, caplog):
    """Other latents and colours: what turns one into features and the other into pixels."""
    published = save_model(tmp_path / "dcgan/1", changed(latent_size=9, palette=4, dropout=0.5))
    trainer = Trainer(changed(palette=8), 32)
    with caplog.at_level("INFO", logger="dcgan.train"):
        origin = start_from(f"{tmp_path}/dcgan", trainer)
    fresh = ["dense_4", "colour_features_0", "up_32", "colours"]
    assert_taken(trainer, published, fresh)
    assert origin["generator"] == {"taken": 7, "fresh": fresh}
    assert f"; fresh: {', '.join(fresh)}" in caplog.text


def test_the_base_is_a_folder_and_brings_what_must_be_said_of_it(tmp_path):
    about = {"licence": "CC BY 4.0", "attribution": "drawings by many artists"}
    expected = save_model(tmp_path / "base", CONFIG, **about)
    trainer = Trainer(CONFIG, 32)
    origin = start_from("base", trainer, base=tmp_path / "base")
    assert_taken(trainer, expected)
    assert (origin["source"], origin["digest"]) == ("base", "digest of base")
    assert origin["attribution"] == ["drawings by many artists", "CC BY 4.0"]


def test_what_must_be_said_of_the_base_is_said_of_all_that_descend_from_it(tmp_path):
    said = ["drawings by many artists", "CC BY 4.0"]
    save_model(tmp_path / "dcgan/1", CONFIG, licence="CC0 1.0", descends_from={"attribution": said})
    save_model(
        tmp_path / "dcgan/2",
        CONFIG,
        licence="CC0 1.0",
        descends_from={"attribution": ["CC0 1.0", *said]},
    )
    for version in (1, 2):
        origin = start_from(f"{tmp_path}/dcgan/{version}", Trainer(CONFIG, 32))
        assert origin["attribution"] == ["CC0 1.0", *said]


def test_installation_without_a_base_is_no_silent_start_from_nothing(tmp_path):
    with pytest.raises(PipelineError, match=r"no generator.keras in .*: install it anew"):
        start_from("base", Trainer(CONFIG, 32), base=tmp_path)


def test_version_from_before_gives_its_generator_alone(tmp_path, caplog):
    published = save_model(tmp_path / "dcgan/1", CONFIG)
    (tmp_path / "dcgan/1" / DISCRIMINATOR).unlink()
    trainer = Trainer(CONFIG, 32)
    with caplog.at_level("INFO", logger="dcgan.train"):
        origin = start_from(f"{tmp_path}/dcgan", trainer)
    fresh = ["conv_32", "conv_16", "conv_8", "logit"]
    assert_taken(trainer, published, fresh)
    assert origin["discriminator"] == {"taken": 0, "fresh": fresh}
    assert "which has no discriminator.npz" in caplog.text


@pytest.mark.parametrize("kept", [True, False], ids=["vectors kept", "vectors not kept"])
def test_spectral_norm_knows_the_singular_values_of_the_kernels_taken(tmp_path, kept):
    published = save_model(tmp_path / "dcgan/1", changed(spectral_norm=kept))
    trainer = Trainer(changed(spectral_norm=True), 32)
    start_from(f"{tmp_path}/dcgan", trainer)
    kernels = zip(
        trainer.discriminator.kernels, trainer.discriminator.effective_kernels(), strict=True
    )
    for kernel, effective in kernels:
        matrix = np.reshape(effective, [-1, kernel.shape[-1]])
        assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, rel=0.1)
    name = "conv_8/kernel"
    np.testing.assert_array_equal(trainer.discriminator.named_weights()[name], published[name])


def test_kernels_made_for_spectral_norm_are_not_used_without(tmp_path):
    save_model(tmp_path / "dcgan/1", changed(spectral_norm=True))
    origin = start_from(f"{tmp_path}/dcgan", Trainer(CONFIG, 32))
    assert origin["discriminator"]["taken"] == 0


@pytest.mark.parametrize("source", ["", "base", "/models/dcgan", "gs://models/dcgan"])
def test_sources_that_are_understood(source):
    assert TrainConfig(warm_start=source).warm_start == source


@pytest.mark.parametrize("source", ["http://models/dcgan", "gs://", "s3:///dcgan"])
def test_sources_that_are_not_understood(source):
    with pytest.raises(ValueError, match="must be base, a path, gs://bucket/… or s3://bucket/…"):
        TrainConfig(warm_start=source)


def test_nothing_published_yet_is_no_error(tmp_path, caplog):
    with caplog.at_level("INFO", logger="dcgan.train"):
        assert start_from(f"{tmp_path}/dcgan", Trainer(CONFIG, 32)) is None
    assert f"nothing is published in {tmp_path / 'dcgan'} yet" in caplog.text


def test_model_of_which_nothing_fits_is_refused(tmp_path):
    save_model(tmp_path / "dcgan/1", changed(base_width=32))
    with pytest.raises(
        UsageError, match=r"no layer of .* 32×32 pictures from 8 numbers by [\d,]+ weights, and"
    ):
        start_from(f"{tmp_path}/dcgan", Trainer(CONFIG, 32))


@pytest.mark.parametrize("path", ["dcgan/", "dcgan/9"])
def test_of_a_model_in_a_bucket(tmp_path, bucket, path):
    expected = save_model(tmp_path / "dcgan/9", CONFIG)
    for name in (GENERATOR, DISCRIMINATOR, MODEL_INFO):
        bucket.put(f"models/dcgan/9/{name}", (tmp_path / "dcgan/9" / name).read_bytes())
    bucket.put("models/dcgan/9/saved_model.pb", b"")
    bucket.put("models/dcgan/10/generator.keras", b"not whole yet")
    trainer = Trainer(CONFIG, 32)
    origin = start_from(f"{bucket.address}/models/{path}", trainer)
    assert_taken(trainer, expected)
    assert origin["source"] == f"{bucket.address}/models/dcgan/9"
    assert start_from(f"{bucket.address}/nothing", trainer) is None


@pytest.mark.parametrize("name", [GENERATOR, DISCRIMINATOR])
def test_broken_model_is_refused(tmp_path, name):
    save_model(tmp_path / "dcgan/1", CONFIG)
    Path(tmp_path, "dcgan/1", name).write_bytes(b"half")
    with pytest.raises(UsageError, match=rf"train\.warm_start: cannot read .*dcgan/1/{name}"):
        start_from(f"{tmp_path}/dcgan", Trainer(CONFIG, 32))


def test_versions_that_are_not_ours_are_no_silent_start_from_nothing(tmp_path):
    save_model(tmp_path / "dcgan/1", CONFIG)
    (tmp_path / "dcgan" / "2").mkdir()
    with pytest.raises(UsageError, match=r"newest version in .*dcgan has no generator.keras"):
        start_from(f"{tmp_path}/dcgan", Trainer(CONFIG, 32))
