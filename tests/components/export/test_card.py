import json
import re

import pytest
from PIL import Image

from components.export.card import render_card
from components.export.publish import publish


@pytest.fixture(scope="session")
def card(exported):
    return (exported / "MODEL_CARD.md").read_text(encoding="utf-8")


def snippet_of(card):
    return re.search(r"```python\n(.*?)```", card, re.DOTALL)[1]


@pytest.mark.parametrize(
    "text",
    [
        "# faces",
        "yes: KID 0.273 <= 0.5",
        "score (efficientnet_lite0) | this model | floor",
        "| KID (lower is better) | 0.2731 | -2e-05 |",
        "| Fréchet distance (lower is better) | 150.2 | 6.6 |",
        "| coverage | – | – |",
        "not comparable with published FIDs",
        "1000 generated against 100 held-out real pictures",
        "10 epochs, 1234 steps, 12340 pictures seen",
        "| augment | color |",
        "| pictures, train | 900 |",
        "`abc123`",
        "8×8 pixels",
        "after epoch 3",
        "It can memorise",
        "| licence of the pictures | that of the pictures it was trained on |",
    ],
)
def test_the_card_says(card, text):
    assert text in card


def test_the_card_is_a_function_of_its_inputs(inputs, exported, card):
    training = json.loads((inputs / "training/training.json").read_text())
    scores = json.loads((inputs / "evaluation/scores.json").read_text())
    info = json.loads((exported / "model.json").read_text())
    assert render_card("faces", training, scores, info["digest"]) == card
    assert str(inputs) not in card
    assert str(exported.parent) not in card
    assert not re.search(r"20\d\d-\d\d", card)


def test_its_snippet_runs_beside_the_exported_model(exported, card, run_python):
    run_python(snippet_of(card), exported)
    picture = exported / "picture.png"
    with Image.open(picture) as file:
        assert file.size == (8, 8)
    picture.unlink()


def test_its_snippet_runs_in_a_published_version(exported, card, run_python, tmp_path):
    version = publish(exported, tmp_path)
    run_python(snippet_of(card), version)
    with Image.open(f"{version}/picture.png") as file:
        assert file.size == (8, 8)


def test_a_model_that_is_not_blessed_says_so(inputs):
    training = json.loads((inputs / "training/training.json").read_text())
    scores = json.loads((inputs / "evaluation/scores.json").read_text())
    refused = scores | {"blessed": False, "blessed_reason": "KID 0.7 > 0.5"}
    assert "| blessed | no: KID 0.7 > 0.5 |" in render_card("faces", training, refused, "d")
