"""A generator in each of the places that hold one, and `dcgan sample`."""

import sys
from pathlib import Path

import pytest

from components.shared.contracts import GENERATOR, GIF, MODEL_INFO, SAVED_MODEL
from components.shared.files import write_json
from pipeline import cli
from tests.components.export.judged import publish


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """What a run leaves of its generator, which draws 8×8 pictures."""
    import keras

    from components.export.saved_model import write_saved_model

    keras.utils.set_random_seed(0)
    latents = keras.Input([6])
    hidden = keras.layers.LeakyReLU()(keras.layers.Dense(4 * 4 * 8)(latents))
    hidden = keras.layers.Reshape([4, 4, 8])(hidden)
    images = keras.layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh")(hidden)
    generator = keras.Model(latents, images)
    folder = tmp_path_factory.mktemp("trained")
    write_saved_model(folder / SAVED_MODEL, generator)
    generator.save(folder / GENERATOR)
    (folder / GIF).touch()
    write_json(folder / MODEL_INFO, {"name": "faces", "digest": "0"})
    return folder


@pytest.fixture(scope="session")
def published(trained, tmp_path_factory):
    """The same, published: the version's folder."""
    return Path(publish(trained, tmp_path_factory.mktemp("published")))


@pytest.fixture
def old(tmp_path):
    """A published model from before there was a signature that draws by itself."""
    import tensorflow as tf

    def serve(latents):
        pictures = tf.reshape(latents[:, :3], [-1, 1, 1, 3])
        return {"images": tf.cast(pictures, tf.uint8)}

    signature = tf.function(serve, input_signature=[tf.TensorSpec([None, 6], name="latents")])
    tf.saved_model.save(tf.Module(), str(tmp_path / "old/1"), {"serving_default": signature})
    return tmp_path / "old"


@pytest.fixture
def sample(tmp_path, monkeypatch, capfd):
    """Run `dcgan sample` in an empty folder; a failing one must end in one line."""
    monkeypatch.chdir(tmp_path)

    def sample(*arguments, code=0):
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["dcgan", "sample", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        assert (ended.value.code or 0) == code, (out, err)
        if code:
            assert err.startswith("error: "), err
            assert len(err.splitlines()) == 1, err
        return out + err

    return sample


@pytest.fixture
def draw(sample, tmp_path):
    """Run `dcgan sample --out-dir`; gives the files by their names."""

    def draw(*arguments):
        folder = tmp_path / f"drawn-{len(list(tmp_path.iterdir()))}"
        sample(*arguments, "--out-dir", folder)
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    return draw
