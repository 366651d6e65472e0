import numpy as np
import pytest

from components.shared.contracts import IMAGE
from components.shared.errors import DataRefused
from components.shared.files import read_json
from components.shared.normalization import load_transform_graph
from components.shared.records import load_images
from components.transform.config import TransformConfig
from components.transform.step import transform
from tests.records import write_records


def test_statistics_are_those_of_the_training_pictures(tmp_path, make_records, random_images):
    images = random_images // np.array([1, 2, 4], np.uint8)
    records = make_records(train=images, eval=images[:2] * 0)
    statistics = transform(records, tmp_path / "graph", TransformConfig(histogram_bins=4))
    pixels = images.reshape(-1, 3).astype(float)
    np.testing.assert_allclose(statistics["mean"], pixels.mean(axis=0))
    np.testing.assert_allclose(statistics["standard_deviation"], pixels.std(axis=0))
    assert statistics["minimum"] == pixels.min(axis=0).tolist()
    assert statistics["maximum"] == pixels.max(axis=0).tolist()
    for channel in range(3):
        expected = np.histogram(pixels[:, channel], bins=4, range=(0, 256))[0] / len(pixels)
        np.testing.assert_allclose(statistics["histogram"][channel], expected)
    saved = read_json(tmp_path / "graph" / "statistics.json")
    assert saved == {"images": 24, **statistics}


def test_graph_maps_uint8_to_minus_one_to_one(tmp_path, make_records):
    ramp = np.arange(256, dtype=np.uint8).repeat(12).reshape(1, 32, 32, 3)
    records = make_records(train=np.concatenate([ramp, ramp[:, ::-1]]))
    transform(records, tmp_path / "graph", TransformConfig())
    graph = load_transform_graph(tmp_path / "graph")
    normalized = graph(load_images(records, "train"))[IMAGE].numpy()
    assert normalized.dtype == np.float32
    assert normalized.shape == (2, 32, 32, 3)
    np.testing.assert_allclose(normalized[0], ramp[0].astype(float) / 127.5 - 1, atol=1e-6)


def test_pictures_of_one_colour_are_refused(tmp_path, make_records):
    records = make_records(train=np.full((4, 32, 32, 3), 7, np.uint8))
    with pytest.raises(DataRefused, match=r"one colour, RGB \(7, 7, 7\)"):
        transform(records, tmp_path / "graph", TransformConfig())
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_fewer_pictures_than_two_batches_are_refused(tmp_path, make_records, random_images):
    records = make_records(train=random_images)
    told = r"24 training pictures, .* asks for 25 \(two batches .* lower it where it is set, else"
    with pytest.raises(DataRefused, match=told):
        transform(records, tmp_path / "graph", TransformConfig(min_images=25))
    assert not (tmp_path / "graph").exists()


def test_levels_are_told_by_class(tmp_path, random_images):
    labels = [index % 3 for index in range(24)]
    images = random_images // np.array([1, 2, 4, 1] * 6, np.uint8)[:, None, None, None]
    records = write_records(
        tmp_path / "records", {"train": labels, "eval": [0, 1]}, train=images, eval=images[:2]
    )
    statistics = transform(records, tmp_path / "graph", TransformConfig())
    assert len(statistics["classes"]) == 3
    for label, found in enumerate(statistics["classes"]):
        pixels = images[label::3].reshape(-1, 3).astype(float)
        np.testing.assert_allclose(found["mean"], pixels.mean(axis=0))
        np.testing.assert_allclose(found["standard_deviation"], pixels.std(axis=0))
    graph = load_transform_graph(tmp_path / "graph")
    normalized = graph(load_images(records, "train"))[IMAGE].numpy()
    np.testing.assert_allclose(normalized, images / 127.5 - 1, atol=1e-6)
    del statistics["classes"]
    plain = transform(
        write_records(tmp_path / "plain", train=images), tmp_path / "other", TransformConfig()
    )
    assert plain == statistics
