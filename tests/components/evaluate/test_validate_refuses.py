"""What validate refuses, before the training, that evaluate and compare would refuse after it."""

import numpy as np
import pytest
import tensorflow as tf

from components.evaluate.config import EvaluateConfig
from components.evaluate.validate import validate
from components.shared.contracts import GENERATOR
from components.shared.errors import DataRefused, PipelineError, UsageError


@pytest.fixture
def refused(make_records, make_transform_graph, faces, tmp_path):
    """Validate with these settings; gives what is said against it."""

    def refused(kind, held_out=64, **settings):
        records = make_records(eval=faces[:held_out], train=faces[64:])
        graph, out = make_transform_graph(faces), tmp_path / "validation"
        with pytest.raises(kind) as info:
            validate(records, graph, tmp_path / "home", out, EvaluateConfig(**settings))
        assert not out.exists()
        return str(info.value)

    return refused


def save_extractor(folder, value):
    """A SavedModel whose every feature is this number."""
    pictures = tf.TensorSpec([None, None, None, 3], tf.uint8)
    network = tf.function(lambda images: tf.fill([tf.shape(images)[0], 3], value), [pictures])
    tf.saved_model.save(tf.Module(), str(folder), {"serving_default": network})
    return str(folder)


def test_too_few_held_out_pictures(refused):
    assert "5 pictures are held out" in refused(DataRefused, held_out=5)


def test_an_extractor_that_is_not_there(refused, tmp_path):
    settings = {"extractor": "saved_model", "extractor_source": f"{tmp_path}/nowhere"}
    assert "no SavedModel in" in refused(UsageError, **settings)


def test_an_extractor_whose_address_does_not_answer(refused):
    settings = {"extractor": "inception_v3_fid", "extractor_sha256": "0" * 64}
    said = refused(PipelineError, **settings, extractor_source="http://localhost:1/graph.pb")
    assert "cannot fetch http://localhost:1/graph.pb" in said


def test_an_extractor_that_gives_no_numbers(refused, tmp_path):
    source = save_extractor(tmp_path / "extractor", np.nan)
    said = refused(UsageError, extractor="saved_model", extractor_source=source)
    assert "features that are not finite numbers" in said


def test_an_extractor_that_works_is_tried(make_records, make_transform_graph, faces, tmp_path):
    source = save_extractor(tmp_path / "extractor", 1.0)
    config = EvaluateConfig(extractor="saved_model", extractor_source=source)
    records, graph = make_records(eval=faces[:64], train=faces[64:]), make_transform_graph(faces)
    validate(records, graph, tmp_path / "home", tmp_path / "out", config)


@pytest.mark.parametrize("content", [None, b"", b"no zip", b"PK\x05\x06" + bytes(18), "cut"])
def test_a_published_generator_that_compare_could_not_read(published, refused, faces, content):
    generator = published(faces) / GENERATOR
    if content == "cut":
        damaged = bytearray(generator.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        generator.write_bytes(damaged)
    elif content is None:
        generator.unlink()
    else:
        generator.write_bytes(content)
    said = refused(PipelineError)
    assert f"cannot read {generator}, to compare with (" in said
    assert said.endswith(": restore it, or remove version 3")
