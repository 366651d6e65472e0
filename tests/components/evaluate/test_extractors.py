import contextlib
import functools
import hashlib
import http.server
import re
import tarfile
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.evaluate.config import EvaluateConfig
from components.evaluate.extractors import inception_v3_keras
from components.evaluate.extractors.registry import load_extractor
from components.metrics.extractor import Extractor
from components.shared.errors import PipelineError, UsageError
from tests.components.evaluate.extracting import WRONG, check_company, load, refusal
from tests.components.evaluate.frozen_graph import SIDE, features_of, frozen_graph
from tests.ports import free_port

GRAPH = "classify_image_graph_def.pb"


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def served(folder):
    """The address of a server of these files; it promises a byte more of those named short."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def send_header(self, keyword, value):
            if keyword == "Content-Length" and "short" in self.path:
                value = str(int(value) + 1)
            super().send_header(keyword, value)

        def log_message(self, *_):
            pass

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / GRAPH
    path.write_bytes(frozen_graph().SerializeToString())
    return path


def test_pictures_go_through_in_batches_and_keep_their_order():
    sizes = []

    def network(batch):
        sizes.append(len(batch))
        return batch[:, 0, 0].astype(np.float64)

    images = np.arange(70 * 3, dtype=np.uint8).reshape(70, 1, 1, 3)
    features = Extractor({}, network)(images)
    assert sorted(sizes) == [6] + 8 * [8]
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, images[:, 0, 0])


@pytest.mark.parametrize("threads", [1, 3])
def test_as_many_batches_at_once_as_tensorflow_has_threads(monkeypatch, threads):
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: threads)
    together, idents = threading.Barrier(threads), set()

    def network(batch):
        idents.add(threading.get_ident())
        together.wait(timeout=20)
        time.sleep(0.01)  # so that further threads would find work
        return batch[:, 0, 0]

    Extractor({}, network)(np.zeros([6 * 8, 1, 1, 3], np.uint8))
    assert len(idents) == threads


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_features_that_are_not_finite_are_refused(value):
    def network(batch):
        features = batch[:, 0, 0].astype(np.float64)
        features[-1, 1] = value
        return features

    extractor = Extractor({"name": "net", "sha256": "ab"}, network)
    with np.errstate(over="ignore"), pytest.raises(UsageError) as info:
        extractor(np.zeros([40, 1, 1, 3], np.uint8))
    assert "net (SHA-256 ab) gives features that are not finite numbers" in str(info.value)


def test_the_default_comes_with_the_package_and_is_loaded_once():
    extractor = load_extractor(EvaluateConfig())
    assert extractor.description["name"] == "efficientnet_lite0"
    assert load_extractor(EvaluateConfig(samples=20)) is extractor


def test_fid_graph_takes_batches_of_any_size(graph, pictures):
    extractor = load("inception_v3_fid", graph, sha256_of(graph))
    assert extractor.description == {
        "name": "inception_v3_fid",
        "sha256": sha256_of(graph),
        "resize": "bilinear to 299×299 without antialiasing, by the graph",
        "dtype": "float32",
    }
    np.testing.assert_allclose(extractor(pictures), features_of(pictures), rtol=1e-4)
    check_company(extractor, pictures)


def test_fid_graph_resizes_by_itself(graph, pictures):
    extractor = load("inception_v3_fid", graph, sha256_of(graph))
    random = np.random.default_rng(3).integers(0, 256, [3, 2 * SIDE, 2 * SIDE, 3], np.uint8)
    # TensorFlow's first bilinear: corners of pixels for centers, and no antialiasing.
    np.testing.assert_allclose(extractor(random), features_of(random[:, ::2, ::2]), rtol=1e-4)


def test_fid_graph_may_come_in_its_archive(graph, pictures, tmp_path):
    archive = tmp_path / "inception.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("LICENSE"))
        tar.add(graph, GRAPH)
    extractor = load("inception_v3_fid", archive, sha256_of(archive).upper())
    np.testing.assert_allclose(extractor(pictures), features_of(pictures), rtol=1e-4)
    assert extractor.description["sha256"] == sha256_of(graph)  # comparable, however it came


def test_what_is_no_fid_graph_is_refused(graph, tmp_path):
    definition = frozen_graph()
    for node in definition.node:
        node.name = node.name.replace("pool_3", "pool_4")
        node.input[:] = [name.replace("pool_3", "pool_4") for name in node.input]
    files = {"text.pb": b"no graph", "empty.pb": b"", "other.pb": definition.SerializeToString()}
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        said = refusal("inception_v3_fid", path, sha256_of(path))
        assert f"{path} is no frozen graph from ExpandDims:0 to pool_3:0 (" in said
    archive = tmp_path / "other.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(graph, "other.pb")
    assert f"(the archive has no {GRAPH})" in refusal(
        "inception_v3_fid", archive, sha256_of(archive)
    )


def test_file_from_a_server(graph, pictures):
    sha256 = sha256_of(graph)
    with served(graph.parent) as address:
        extractor = load("inception_v3_fid", f"{address}/{GRAPH}", sha256)
        missing = refusal("inception_v3_fid", f"{address}/none", sha256, error=PipelineError)
        (graph.parent / "short.pb").write_bytes(graph.read_bytes())
        short = refusal("inception_v3_fid", f"{address}/short.pb", sha256, error=PipelineError)
        (graph.parent / "other.pb").write_bytes(b"others")
        other = refusal("inception_v3_fid", f"{address}/other.pb", sha256)
    np.testing.assert_allclose(extractor(pictures), features_of(pictures), rtol=1e-4)
    assert f"cannot fetch {address}/none (HTTP status 404)" in missing
    assert f"cannot fetch {address}/short.pb (IncompleteRead(" in short
    found = hashlib.sha256(b"others").hexdigest()
    assert f"{address}/other.pb has SHA-256 {found} instead of {sha256}: " in other


def test_server_that_does_not_answer_is_named():
    address = f"http://localhost:{free_port()}/graph.pb"
    said = refusal("inception_v3_fid", address, WRONG, error=PipelineError)
    assert re.search(rf"cannot fetch {address} \(.*refused\): .* download the file", said)


def test_file_that_is_missing_or_another_is_named(graph, tmp_path):
    said = refusal("inception_v3_fid", tmp_path / "none.pb", WRONG)
    assert f"cannot read {tmp_path}/none.pb (No such file or directory)" in said
    assert f"cannot read {tmp_path} (Is a directory)" in refusal(
        "inception_v3_keras", tmp_path, WRONG
    )
    said = refusal("inception_v3_fid", graph, WRONG)
    assert f"{graph} has SHA-256 {sha256_of(graph)} instead of {WRONG}: " in said


@pytest.fixture(scope="module")
def inception():
    """Keras's network with random weights."""
    return keras.applications.InceptionV3(include_top=False, weights=None, pooling="avg")


@pytest.mark.parametrize("name", ["mine?1.weights.h5", "mine.keras"])
def test_weights_of_keras(inception, tmp_path, name):
    path = tmp_path / name
    inception.save(path) if name.endswith(".keras") else inception.save_weights(path)
    extractor = load("inception_v3_keras", path)
    assert extractor.description == {
        "name": "inception_v3_keras",
        "sha256": sha256_of(path),
        "resize": "bilinear to 299×299, antialiased",
        "dtype": "float32",
    }
    few = np.random.default_rng(4).integers(0, 256, [2, 400, 400, 3], np.uint8)  # made smaller
    pixels = tf.image.resize(few, [299, 299], "bilinear", antialias=True).numpy()
    expected = inception(keras.applications.inception_v3.preprocess_input(pixels), training=False)
    assert expected.shape == (2, 2048)
    np.testing.assert_allclose(extractor(few), expected, rtol=1e-3, atol=1e-5)


def test_weights_that_keras_offers(inception, faces, tmp_path, monkeypatch):
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    path = tmp_path / "keras.weights.h5"
    inception.save_weights(path)
    with served(tmp_path) as address:
        monkeypatch.setattr(inception_v3_keras, "_KERAS_WEIGHTS", f"{address}/{path.name}")
        said = refusal("inception_v3_keras", error=PipelineError)
        assert "file hash does not match" in said
        md5 = hashlib.md5(path.read_bytes()).hexdigest()
        monkeypatch.setattr(inception_v3_keras, "_KERAS_MD5", md5)
        extractor = load("inception_v3_keras")
    assert extractor.description["sha256"] == sha256_of(path)
    check_company(extractor, faces[:3])
    kept = tmp_path / "models" / path.name  # no second download
    said = refusal("inception_v3_keras", "", WRONG)
    assert f"{kept} has SHA-256 {sha256_of(path)} instead of {WRONG}" in said
    kept.unlink()
    said = refusal("inception_v3_keras", "", sha256_of(path), error=PipelineError)
    assert f"download {address}/{path.name} and name its path" in said


def test_what_are_no_weights_of_inception_is_refused(tmp_path):
    layer = keras.Sequential([keras.Input([2]), keras.layers.Dense(2)])
    layer.save_weights(tmp_path / "other.weights.h5")
    (tmp_path / "text.h5").write_text("no weights")
    for path in (tmp_path / "other.weights.h5", tmp_path / "text.h5"):
        said = refusal("inception_v3_keras", path)
        assert f"{path} holds no weights of Keras's InceptionV3" in said
