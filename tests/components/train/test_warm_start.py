import numpy as np
import pytest

from components.shared.contracts import GENERATOR, MODEL_INFO
from components.shared.errors import UsageError
from components.shared.files import write_json
from components.train.config import TrainConfig
from components.train.networks import build_generator
from components.train.trainer import Trainer
from components.train.warm_start import published_weights

CONFIG = TrainConfig(base_width=16, latent_size=8, batch_size=4, ema_half_life=50)


@pytest.fixture
def publish(tmp_path):
    """Publish a fresh generator as a version; gives its weights."""

    def publish(version, **changes):
        folder = tmp_path / "dcgan" / str(version)
        folder.mkdir(parents=True)
        generator = build_generator(CONFIG.model_copy(update=changes), 32)
        generator.save(folder / GENERATOR)
        write_json(folder / MODEL_INFO, {"digest": str(version)})
        return generator.get_weights()

    return publish


@pytest.mark.parametrize(("path", "version"), [("dcgan", 10), ("dcgan/9", 9)])
def test_newest_version_or_the_one_that_is_named(publish, tmp_path, path, version):
    published = {number: publish(number) for number in (9, 10)}
    trainer = Trainer(CONFIG, 32)
    weights = published_weights(tmp_path / path, trainer.generator)
    trainer.start_from(weights)
    for found in (trainer.generator.get_weights(), trainer.sampler_weights()):
        for array, expected in zip(found, published[version], strict=True):
            np.testing.assert_array_equal(array, expected)


def test_nothing_published_yet_is_no_error(tmp_path, caplog):
    with caplog.at_level("INFO", logger="dcgan.train"):
        assert published_weights(tmp_path / "dcgan", build_generator(CONFIG, 32)) is None
    assert f"nothing is published in {tmp_path / 'dcgan'} yet" in caplog.text


@pytest.mark.parametrize(
    "changes", [{"latent_size": 9}, {"base_width": 32}, {"kernel_size": 3}], ids=str
)
def test_model_of_another_shape_is_refused(publish, tmp_path, changes):
    publish(1, **changes)
    with pytest.raises(UsageError, match=r"32×32 pictures from \d numbers by [\d,]+ weights, and"):
        published_weights(tmp_path / "dcgan", build_generator(CONFIG, 32))


@pytest.mark.parametrize("path", ["dcgan/", "dcgan/9"])
def test_of_a_model_in_a_bucket(publish, tmp_path, bucket, path):
    expected = publish(9)
    for name in (GENERATOR, MODEL_INFO):
        bucket.put(f"models/dcgan/9/{name}", (tmp_path / "dcgan/9" / name).read_bytes())
    bucket.put("models/dcgan/9/saved_model.pb", b"")
    bucket.put("models/dcgan/10/generator.keras", b"not whole yet")
    generator = build_generator(CONFIG, 32)
    weights = published_weights(f"{bucket.address}/models/{path}", generator)
    for array, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(array, other)
    assert published_weights(f"{bucket.address}/nothing", generator) is None


def test_broken_model_is_refused(publish, tmp_path):
    publish(1)
    (tmp_path / "dcgan/1" / GENERATOR).write_bytes(b"half")
    with pytest.raises(UsageError, match=r"train\.warm_start: cannot read .*dcgan/1"):
        published_weights(tmp_path / "dcgan", build_generator(CONFIG, 32))


def test_versions_that_are_not_ours_are_no_silent_start_from_nothing(publish, tmp_path):
    publish(1)
    (tmp_path / "dcgan" / "2").mkdir()
    with pytest.raises(UsageError, match=r"newest version in .*dcgan has no generator.keras"):
        published_weights(tmp_path / "dcgan", build_generator(CONFIG, 32))
