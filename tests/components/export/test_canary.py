"""SavedModels that are not what was evaluated: none of them leaves export."""

import ast
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from components.export import ask_saved_model, saved_model, step
from components.export.canary import try_saved_model
from components.export.config import ExportConfig
from components.export.saved_model import load_generator, signatures_of, write_saved_model
from components.export.step import export
from components.shared.errors import PipelineError

SCALARS = [
    tf.TensorSpec([], tf.int32, name="count"),
    tf.TensorSpec([], tf.int32, name="seed"),
    tf.TensorSpec([], tf.float32, name="truncation"),
]


def with_other_weights(target, generator, classes):
    other = keras.models.clone_model(generator)
    other.set_weights([weight * 1.05 for weight in generator.get_weights()])
    write_saved_model(target, other)


def truncated(target, generator, classes):
    write_saved_model(target, generator)
    (data,) = target.glob("variables/*.data-*")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])


def without_a_signature(generator, *_):
    signatures = signatures_of(generator)
    del signatures["generate_png"]
    return signatures


def that_raises(generator, *_):
    def generate(count, seed, truncation):
        with tf.control_dependencies([tf.debugging.Assert(count < 0, ["no such thing"])]):
            return {"images": tf.zeros([count, 8, 8, 3], tf.uint8)}

    return signatures_of(generator) | {"generate": tf.function(generate, SCALARS)}


def that_hangs(generator, *_):
    """In native code, where no Python signal handler ever runs."""

    def serve(latents):
        endless = tf.while_loop(lambda i: i >= 0, lambda i: [tf.abs(tf.sin(i))], [1.0])
        return {"images": tf.cast(latents + endless[0], tf.uint8)}

    spec = tf.TensorSpec([None, generator.input_shape[-1]], name="latents")
    return signatures_of(generator) | {"serving_default": tf.function(serve, [spec])}


def that_forgets_the_seed(generator, *_):
    drawn = signatures_of(generator)["generate"]

    def generate(count, seed, truncation):
        return drawn(count, tf.constant(0), truncation)

    return signatures_of(generator) | {"generate": tf.function(generate, SCALARS)}


def with_grey_files(generator, *_):
    drawn = signatures_of(generator)["generate"]

    def generate_png(count, seed, truncation):
        return {"png_bytes": tf.io.encode_png(drawn(count, seed, truncation)["images"][..., :1])}

    return signatures_of(generator) | {"generate_png": tf.function(generate_png, SCALARS)}


@pytest.mark.parametrize(
    ("where", "broken", "said"),
    [
        (step, with_other_weights, r"serving_default/images differs from .* by up to \d+ of 255"),
        (step, truncated, "loading: IndexError: Read less bytes than requested; begin"),
        (saved_model, without_a_signature, "loading: LookupError: no signature generate_png"),
        (saved_model, that_raises, r"signature generate: InvalidArgumentError: .*no such thing"),
        (saved_model, that_hangs, r"signature serving_default: more than 0.5 s; .*canary_seconds"),
        (saved_model, that_forgets_the_seed, r"generate/images differs from .* of 255 levels"),
        (
            saved_model,
            with_grey_files,
            r"generate_png/png_bytes is uint8 \[32, 8, 8, 1\], not uint8 \[32, 8, 8, 3\]",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", "").rpartition(".")[2],
)
def test_is_refused_in_a_sentence_and_leaves_what_was_there(
    inputs, tmp_path, monkeypatch, where, broken, said
):
    replaced = "write_saved_model" if where is step else "signatures_of"
    monkeypatch.setattr(where, replaced, broken)
    limit = {"canary_seconds": 0.5} if broken is that_hangs else {}
    model = tmp_path / "out/model"
    model.mkdir(parents=True)
    (model / "older").touch()
    with pytest.raises(PipelineError, match=said) as refused:
        export(inputs / "training", inputs / "evaluation", model, ExportConfig(**limit))
    assert str(refused.value).startswith("the exported SavedModel")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in model.parent.rglob("*")] == [
        "model",
        "model/older",
    ]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "import os; os.kill(os.getpid(), 9)",
            "starting Python: killed, .*; give export more memory",
        ),
        ("import sys; sys.exit('no TensorFlow')", "starting Python: ended with 1: no TensorFlow"),
        ("import sys, elsewhere; sys.exit('found')", "starting Python: ended with 1: found"),
        (
            """print('{"doing": "loading", "limit": 600}', flush=True)
import signal; signal.raise_signal(signal.SIGALRM)""",
            "loading: more than 600 s; give export more cores$",
        ),
    ],
)
def test_a_process_that_dies_is_told(inputs, exported, tmp_path, monkeypatch, program, said):
    (tmp_path / "dies.py").write_text(program)
    (tmp_path / "path").mkdir()
    (tmp_path / "path/elsewhere.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    monkeypatch.setattr("components.export.canary._PROGRAM", tmp_path / "dies.py")
    generator = load_generator(inputs / "evaluation/generator.keras")
    with pytest.raises(PipelineError, match=said):
        try_saved_model(exported / "saved_model", generator, 60)


def test_the_program_imports_nothing_of_ours():
    """What it finds must be what a user without this package gets."""
    nodes = list(ast.walk(ast.parse(Path(ask_saved_model.__file__).read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    assert set(names) - sys.stdlib_module_names == {"numpy", "tensorflow"}
