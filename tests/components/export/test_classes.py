"""What a generator with classes is exported as; what draws from it knows TensorFlow alone."""

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from components.export.canary import try_saved_model
from components.export.config import ExportConfig
from components.export.formats import write_format
from components.export.latent_walk import walk_frames
from components.export.saved_model import (
    describe,
    draw_latents,
    load_generator,
    signatures_of,
    write_saved_model,
)
from components.export.step import export
from components.shared.classes import Classes
from components.shared.errors import PipelineError
from components.shared.files import read_json, write_json
from components.shared.generators import images_of
from components.shared.normalization import to_pixels
from tests.components.export.classed import (
    CLASSES,
    IMAGE_SIZE,
    LATENT_SIZE,
    NAMES,
    make_generator,
)

DRAW = """
import sys
sys.modules["components"] = sys.modules["keras"] = None  # an import of them fails
import json, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
asked = dict(count=tf.constant(40), seed=tf.constant(7), truncation=tf.constant(0.9))
drawn = {
    name: model.signatures["generate_class_png"](**asked, class_name=tf.constant(name))["png_bytes"]
    for name in json.loads(sys.argv[2])
}
told = model.signatures["classes"](count=tf.constant(3))
print(json.dumps({
    "names": [name.decode() for name in told["names"].numpy()],
    "shares": told["shares"].numpy().tolist(),
    "drawn": {name: [png.hex() for png in pngs.numpy().tolist()] for name, pngs in drawn.items()},
}))
"""


@pytest.fixture(scope="module")
def generator():
    return make_generator()


@pytest.fixture(scope="module")
def folder(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classed") / "saved_model"
    write_saved_model(folder, generator, CLASSES)
    return folder


@pytest.fixture(scope="module")
def ask(folder):
    """Ask a signature of the SavedModel; gives its only output."""
    model = tf.saved_model.load(str(folder))

    def ask(signature, count=40, seed=7, truncation=0.9, **more):
        asked = {"count": count, "seed": seed, "truncation": truncation, **more}
        answer = model.signatures[signature](
            **{name: tf.constant(value) for name, value in asked.items()}
        )
        (output,) = answer.values()
        return output.numpy()

    ask.signatures = model.signatures
    return ask


def expected(generator, labels, batch=0, seed=7, truncation=0.9):
    """Pictures of one batch, uint8 [32, …], by the generator itself."""
    latents = draw_latents(seed, batch, truncation, LATENT_SIZE)
    return to_pixels(images_of(generator, latents, tf.constant(labels, tf.int32))).numpy()


def assert_near(pictures, others):
    """Alike but for the last bit of a float, which may decide between two levels."""
    assert pictures.std() > 20  # not one colour
    assert np.abs(pictures.astype(int) - others).max() <= 1


def test_another_process_draws_a_class_with_tensorflow_alone(folder, ask, run_python, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    told = json.loads(run_python(DRAW, tmp_path, tmp_path / "copy", json.dumps(["", *NAMES])))
    assert told["names"] == [*NAMES[:3]]
    np.testing.assert_allclose(told["shares"], [0.1, 0.6, 0.29])
    for name, pngs in told["drawn"].items():
        drawn = ask("generate_class_png", class_name=name)
        assert [bytes.fromhex(png) for png in pngs] == drawn.tolist()
    assert len({png for pngs in told["drawn"].values() for png in pngs}) >= 4 * 40


def test_a_class_is_drawn_from_the_latents_that_each_other_gets(generator, ask):
    for number, name in enumerate(NAMES):
        pictures = ask("generate_class", class_name=name)
        assert pictures.shape == (40, IMAGE_SIZE, IMAGE_SIZE, 3)
        for batch, some in enumerate((pictures[:32], pictures[32:])):
            assert_near(some, expected(generator, [number] * 32, batch)[: len(some)])


def test_a_name_wins_over_a_number_in_digits(ask):
    """The second class is called "0", and "1" is nobody's name."""
    drawn = {called: ask("generate_class_png", class_name=called).tolist() for called in "0123"}
    assert drawn["0"] == drawn["1"]
    assert drawn["2"] == ask("generate_class_png", class_name=NAMES[2]).tolist()
    assert len({*map(tuple, drawn.values())}) == 3


@pytest.mark.parametrize("called", ["Blå", "4", "-1", "00", " ", "blå "])
def test_a_class_that_there_is_not_is_refused_by_name(ask, called):
    for signature in ("generate_class", "generate_class_png"):
        with pytest.raises(tf.errors.InvalidArgumentError) as refused:
            ask(signature, class_name=called)
        assert "class_name must be a name that the signature classes tells" in str(refused.value)
        assert f"or a number below 4:] [{called}]" in str(refused.value)


def test_without_a_class_the_shares_of_the_training_decide(generator, ask):
    """Which class a picture is of is seen by drawing it of each."""
    count = 4_000
    files = ask("generate_png", count)
    assert ask("generate_class_png", count, class_name="").tolist() == files.tolist()
    of_each = [ask("generate_class_png", count, class_name=name) for name in NAMES]
    is_of = np.array(of_each) == files
    assert is_of.sum(axis=0).tolist() == [1] * count
    np.testing.assert_allclose(is_of.mean(axis=1), CLASSES.shares, atol=0.025)
    labels = is_of.argmax(axis=0)
    assert_near(ask("generate", 32), expected(generator, labels[:32]))
    assert not np.array_equal(labels[:32], labels[32:64])  # batch by batch anew
    with pytest.raises(AssertionError):
        assert_near(ask("generate", 32, seed=8), expected(generator, labels[:32], seed=8))
    for fewer in (1, 33):
        assert ask("generate_png", fewer).tolist() == files[:fewer].tolist()


def test_a_class_without_pictures_is_drawn_when_named_alone(generator):
    classes = Classes(("none", "all", "neither"), (0, 5, 0))
    classes = Classes((*classes.names, "last"), (*classes.counts, 0))
    signatures = signatures_of(generator, classes)
    by_shares = signatures["generate"](200, 0, 1.0)["images"].numpy()
    named = signatures["generate_class"](200, 0, 1.0, "all")["images"].numpy()
    np.testing.assert_array_equal(by_shares, named)
    none = signatures["generate_class"](200, 0, 1.0, "none")["images"].numpy()
    assert not np.array_equal(none, named)


def test_latents_come_with_labels(generator, ask):
    latents = np.random.default_rng(0).standard_normal([5, LATENT_SIZE], np.float32)
    labels = np.array([3, 0, 1, 2, 1], np.int32)
    serve = ask.signatures["serving_default"]
    drawn = serve(latents=tf.constant(latents), labels=tf.constant(labels))["images"].numpy()
    assert drawn.dtype == np.uint8
    assert_near(drawn, to_pixels(images_of(generator, latents, labels)).numpy())
    assert describe(generator) == "latents [n, 12], labels [n] -> images [n, 32, 32, 3]"
    for beyond in (-1, 4):
        labels[2] = beyond
        with pytest.raises(tf.errors.InvalidArgumentError, match=rf"0 to 3:\] \[3 0 {beyond}"):
            serve(latents=tf.constant(latents), labels=tf.constant(labels))


def test_a_generator_without_classes_has_the_signatures_that_it_had(exported):
    signatures = tf.saved_model.load(str(exported / "saved_model")).signatures
    inputs = {name: {*one.structured_input_signature[1]} for name, one in signatures.items()}
    scalars = {"count", "seed", "truncation"}
    assert inputs == {
        "serving_default": {"latents"}, "generate": scalars, "generate_png": scalars
    }  # fmt: skip


def test_names_must_be_as_many_as_are_drawn(generator):
    for classes, named in ((None, 0), (Classes(("a",), (1,)), 1)):
        with pytest.raises(ValueError, match=f"draws 4 classes, and {named} are named"):
            signatures_of(generator, classes)


def test_the_canary_refuses_other_names(generator, folder):
    others = Classes(NAMES[::-1], CLASSES.counts)
    with pytest.raises(PipelineError, match="generate_class/images differs from the evaluated"):
        try_saved_model(folder, generator, 60, others)


def test_a_walk_has_a_row_of_each_of_the_largest(generator):
    """Rows of two classes differ, seen where the first is drawn in all rows."""
    walk = [np.asarray(frame, int) for frame in walk_frames(generator, 3, 0, CLASSES)]
    one = Classes(NAMES, (0, 1, 0, 0))
    first = [np.asarray(frame, int) for frame in walk_frames(generator, 3, 0, one)]
    side = IMAGE_SIZE + 2
    for frame, other in zip(walk, first, strict=True):
        rows, others = (each[:-2].reshape(3, side, *each.shape[1:]) for each in (frame, other))
        same = [np.abs(row - before).max() <= 1 for row, before in zip(rows, others, strict=True)]
        assert same == [True, False, False]


def test_export_tells_the_classes_and_gives_every_format(generator, inputs, tmp_path, caplog):
    shutil.copytree(inputs, tmp_path / "in")
    training, evaluation = tmp_path / "in/training", tmp_path / "in/evaluation"
    generator.save(evaluation / "generator.keras")
    trained = read_json(training / "training.json")
    trained["data"]["classes"] = [
        {"name": name, "train": count, "eval": 1, "rejected": 0}
        for name, count in zip(*CLASSES, strict=True)
    ]
    write_json(training / "training.json", trained)
    with caplog.at_level("INFO", "dcgan.export"):
        info = export(training, evaluation, tmp_path / "model", ExportConfig(formats=["tflite"]))
    tried = (
        r"canary: pictures as evaluated, within [01] .* generate_class [\d.]+ s, generate_class_png"
    )
    assert re.search(tried, caplog.text)
    assert info["classes"] == [*NAMES]
    assert info["class_counts"] == [*CLASSES.counts]
    assert read_json(tmp_path / "model/model.json") == info
    assert (tmp_path / "model/generator.tflite").exists()
    signatures = tf.saved_model.load(str(tmp_path / "model/saved_model")).signatures
    assert {"generate_class", "generate_class_png", "classes"} < {*signatures}


@pytest.fixture(params=[1, 5])
def given(request):
    """Latents and labels of so many pictures."""
    latents = np.random.default_rng(0).standard_normal([request.param, LATENT_SIZE], np.float32)
    return {"latents": latents, "labels": np.array([3, 0, 1, 2, 1][: request.param], np.int32)}


def assert_drawn(images, generator, given):
    drawn = images_of(generator, **given).numpy()
    assert drawn.std() > 0.2
    assert images.shape == drawn.shape
    np.testing.assert_allclose(images, drawn, atol=1e-4)


def test_keras_draws_from_the_file(generator, given, tmp_path):
    generator.save(tmp_path / "x.keras")
    assert_drawn(images_of(load_generator(tmp_path / "x.keras"), **given), generator, given)


def test_onnx_runtime_draws_by_class(generator, given, tmp_path):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    write_format(tmp_path / "x.onnx", "onnx", generator)
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    assert_drawn(session.run(["images"], given)[0], generator, given)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated:UserWarning")
def test_the_interpreter_of_tensorflow_lite_draws_by_class(generator, given, tmp_path):
    write_format(tmp_path / "x.tflite", "tflite", generator)
    draw = tf.lite.Interpreter(str(tmp_path / "x.tflite")).get_signature_runner()
    assert_drawn(draw(**given)["images"], generator, given)
