import json
import re
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from PIL import Image

from components.evaluate.card import write_card
from components.export.saved_model import write_saved_model
from components.shared.contracts import (
    MODEL_CARD,
    MODEL_INFO,
    MOST_PICTURES,
    SAVED_MODEL,
    SCORES_FILE,
    TRAINING,
)
from components.shared.files import write_json
from tests.components.evaluate.scores import BY_CLASS
from tests.components.export.classed import CLASSES, make_generator
from tests.components.export.conftest import run_python

BEST = {
    "epoch": 3, "kid": 0.27312, "kid_interval": 0.0213, "frechet_distance": 150.25,
    "frechet_infinity": 140.5, "precision": 0.5, "recall": 0.25, "density": 0.4, "coverage": None,
}  # fmt: skip
SCORES = {
    "extractor": {"name": "net", "sha256": "f00", "resize": "bicubic", "dtype": "float32"},
    "real_images": 100,
    "generated_images": 1000,
    "best": BEST,
    "controls": {
        name: {**BEST, "kid": kid, "sentence": f"by KID the samples are worse than {name} ones"}
        for name, kid in (("floor", -0.00002), ("blurred", 0.1), ("collapsed", 0.05))
    },
    "standing": "no KID: the pictures are not finite",
    "nearest": {"sentence": "none of 64 samples is near"},
    "smoothness": {"sentence": "pictures change step by step"},
    "by_class": None,
}
TRAINED = {
    "config": {"latent_size": 4, "batch_size": 10, "augment": ["color"]},
    "epochs": 10, "steps": 1234, "images_seen": 12340, "seconds": 5.0,
    "data": {"digest": "abc123", "image_size": 8, "counts": {"train": 900, "eval": 100}},
}  # fmt: skip


@pytest.fixture
def make_card(tmp_path):
    """Write the card into the folder of the model; returns its text."""

    def make(
        blessed: bool = True,
        reason: str = "KID 0.273 is at most 0.5",
        licence: str = "",
        attribution: str = "",
        by_class: dict[str, Any] | None = None,
        **trained: Any,
    ):
        folders = {name: tmp_path / name for name in ("training", "evaluation", "model")}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
        write_json(folders["training"] / TRAINING, TRAINED | trained)
        write_json(folders["evaluation"] / SCORES_FILE, SCORES | {"by_class": by_class})
        info = {"name": "faces", "digest": "d1gest", "licence": licence, "attribution": attribution}
        write_json(folders["model"] / MODEL_INFO, info)
        write_json(tmp_path / "comparison", {"blessed": blessed, "reason": reason})
        path = folders["model"] / MODEL_CARD
        write_card(path, comparison=tmp_path / "comparison", **folders)
        return path.read_text(encoding="utf-8")

    return make


@pytest.mark.parametrize(
    "text",
    [
        "# faces\n\nNo KID: the pictures are not finite.\n\nA generator of",
        "| blessed | yes: KID 0.273 is at most 0.5 |",
        "score (net) | this model | floor | blurred | collapsed |",
        "| KID (lower is better) | 0.2731 | -2e-05 | 0.1 | 0.05 |",
        "| ± (95 %) | 0.0213 |",
        "| Fréchet distance, extrapolated | 140.5 |",
        "| coverage | – | – |",
        "- By KID the samples are worse than blurred ones.",
        "- None of 64 samples is near.",
        "- Pictures change step by step.",
        "`net`, bicubic, float32, weights `f00…`",
        "not comparable with published FIDs, nor with any score made with another",
        "1000 generated against 100 held-out real pictures",
        "10 epochs, 1234 steps, 12340 pictures seen",
        "| augment | color |",
        "| pictures, train | 900 |",
        "`abc123…`",
        "`d1gest…`",
        "8×8 pixels",
        "after epoch 3",
        "It can memorise",
        "| licence of the pictures | not stated |",
    ],
)
def test_the_card_says(make_card, text):
    assert text in make_card()


def test_the_card_is_a_function_of_its_inputs(make_card, tmp_path):
    card = make_card()
    assert make_card() == card
    assert str(tmp_path) not in card
    assert not re.search(r"20\d\d-\d\d-", card)


def test_scores_of_the_network_of_published_fids_are_not_set_apart_from_them(
    make_card, monkeypatch
):
    monkeypatch.setitem(SCORES, "extractor", SCORES["extractor"] | {"name": "inception_v3_fid"})
    assert "not comparable with any score made with another extractor" in make_card()


def test_a_model_that_is_not_blessed_says_why(make_card):
    reason = "KID 0.7 is not below 0.6, that of the published version 3"
    assert f"| blessed | no: {reason} |" in make_card(blessed=False, reason=reason)


def test_the_licence_is_the_one_that_is_given(make_card):
    assert "| licence of the pictures | CC0 1.0 |" in make_card(licence="CC0 1.0")
    assert "| pictures by | some artist |" in make_card(attribution="some artist")
    assert "pictures by" not in make_card()
    torn = make_card(attribution="A|B\n\n# `x` <b>")
    assert r"| pictures by | A\|B # \`x\` \<b> |" in torn


def test_a_sign_of_a_table_tears_no_row(make_card):
    config = TRAINED["config"] | {"warm_start": "/models/a|b"}
    card = make_card(config=config, reason="no better than a|b")
    assert r"| warm_start | /models/a\|b |" in card
    assert r"| blessed | yes: no better than a\|b |" in card


def test_the_card_has_a_row_for_each_class_whatever_its_name(make_card):
    config = TRAINED["config"] | {"class_draws": "balanced"}
    card = make_card(by_class=BY_CLASS, config=config)
    first, second, third = re.search(r"\| class \|.*\n\|[-|]+\n(.*)\n(.*)\n(.*)\n\n", card).groups()
    name = r'\<b>&"\|\`x\` \[y\](z)\\'
    assert first == f"| {name} | 62.5 % | 1200 | 0.0251 ± 0.0040 | 75 % | 95 % |"
    assert second == "| birds | 25.0 % | 20 | too few | 50 % | 85 % |"
    assert third == "| fish | 12.5 % | 0 | too few | 25 % | – |"
    assert "\n50% of the samples of a class look most like pictures of it.\n" in card
    assert "`labels` int32" in card
    assert "| class_draws | balanced |" in card
    plain = make_card(config=config)
    assert "class" not in plain


@pytest.mark.parametrize(
    ("attribution", "said"),
    [
        (["drawings by many artists", "CC BY 4.0"], " (drawings by many artists; CC BY 4.0)"),
        ([], ""),
    ],
)
def test_the_card_names_what_the_model_descends_from(make_card, attribution, said):
    origin = {"source": "base", "digest": "d00d", "attribution": attribution}
    card = make_card(descends_from=origin)
    assert f"| descends from | base{said}, digest `d00d…` |" in card
    for nothing in ({}, {"descends_from": None}):
        assert "descends from" not in make_card(**nothing)


@pytest.fixture(params=[SAVED_MODEL, "."], ids=["a run", "a published version"])
def served(request, make_card, tmp_path):
    """A folder with the card and a SavedModel where each has it; and the SavedModel's."""
    make_card()
    latents = keras.Input([4])
    pixels = keras.layers.Dense(8 * 8 * 3, "tanh")(latents)
    generator = keras.Model(latents, keras.layers.Reshape([8, 8, 3])(pixels))
    saved_model = tmp_path / "model" / request.param
    write_saved_model(saved_model, generator)
    return tmp_path / "model", saved_model


def test_nothing_in_it_is_wider_than_the_panel_of_kubeflows_page(make_card):
    """The panel is some 440 pixels wide, and wraps neither code nor a long word."""
    column = 56
    digest = "0123456789abcdef" * 4
    card = make_card(descends_from={"source": "base", "digest": digest, "attribution": []})
    code = "\n".join(re.findall(r"```\w+\n(.*?)```", card, re.DOTALL))
    assert max(map(len, code.splitlines())) <= column
    assert max(map(len, re.findall(r"`[^`\n]+`", card))) <= column


def test_its_snippet_draws_beside_the_model(served):
    folder, _ = served
    run_python(re.search(r"```python\n(.*?)```", _card_in(folder), re.DOTALL)[1], folder)
    paths = sorted(folder.glob("sample-*.png"))
    assert len(paths) == 16
    with Image.open(paths[15]) as file:
        assert file.size == (8, 8)


def _assert_table_is_of(card, signatures):
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", card, re.MULTILINE))
    rows = {name: rows[name] for name in signatures}
    for name, signature in signatures.items():
        specs = signature.structured_input_signature[1] | signature.structured_outputs
        told = dict(re.findall(r"`(\w+)` (\w+)", rows[name]))
        assert told == {key: spec.dtype.name for key, spec in specs.items()}


def test_its_table_is_of_the_signatures_of_a_model_with_classes(make_card, tmp_path):
    write_saved_model(tmp_path / "saved_model", make_generator(), CLASSES)
    signatures = tf.saved_model.load(str(tmp_path / "saved_model")).signatures
    _assert_table_is_of(make_card(by_class=BY_CLASS), signatures)


def test_its_table_and_its_request_are_of_the_signatures_that_export_writes(served):
    folder, saved_model = served
    card, signatures = _card_in(folder), tf.saved_model.load(str(saved_model)).signatures
    _assert_table_is_of(card, signatures)
    assert f"1 to {MOST_PICTURES:,} at once" in card

    (body,) = re.findall(r"curl .* -d '(.*)'", card, re.DOTALL)
    asked = json.loads(body)
    specs = signatures[asked["signature_name"]].structured_input_signature[1]
    assert asked["inputs"].keys() == specs.keys()
    assert set(re.findall(r"http\S+/v1/models/(\w+)", card)) == {"faces"}


def _card_in(folder: Path) -> str:
    return (folder / MODEL_CARD).read_text(encoding="utf-8")
