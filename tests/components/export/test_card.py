import json
import re
import shutil
from pathlib import Path

import pytest
import tensorflow as tf
from PIL import Image

from components.export.card import render_card
from components.export.publish import publish
from components.shared.contracts import MOST_PICTURES


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


def test_its_snippet_draws_beside_the_exported_model_and_in_a_published_version(
    exported, card, run_python, tmp_path
):
    folders = shutil.copytree(exported, tmp_path / "model"), Path(publish(exported, tmp_path))
    for folder in folders:
        run_python(snippet_of(card), folder)
    drawn = [sorted(folder.glob("sample-*.png")) for folder in folders]
    for ours, theirs in zip(*drawn, strict=True):
        assert ours.name == theirs.name
        assert ours.read_bytes() == theirs.read_bytes()
        with Image.open(ours) as file:
            assert file.size == (8, 8)
    assert len(drawn[0]) == 16


def test_its_table_is_of_the_signatures_that_export_writes(exported, card):
    signatures = tf.saved_model.load(str(exported / "saved_model")).signatures
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", card, re.MULTILINE))
    assert rows.keys() == signatures.keys()
    for name, signature in signatures.items():
        specs = signature.structured_input_signature[1] | signature.structured_outputs
        told = dict(re.findall(r"`(\w+)` (\w+)", rows[name]))
        assert told == {key: spec.dtype.name for key, spec in specs.items()}
    assert f"1 to {MOST_PICTURES:,} at once" in card


def test_what_it_sends_to_a_server_fits_the_signature(exported, card):
    (body,) = re.findall(r"curl -d '(.*)'", card)
    asked = json.loads(body)
    signatures = tf.saved_model.load(str(exported / "saved_model")).signatures
    specs = signatures[asked["signature_name"]].structured_input_signature[1]
    assert asked["inputs"].keys() == specs.keys()
    assert set(re.findall(r"http\S+/v1/models/(\w+)", card)) == {"faces"}


def test_a_model_that_is_not_blessed_says_so(inputs):
    training = json.loads((inputs / "training/training.json").read_text())
    scores = json.loads((inputs / "evaluation/scores.json").read_text())
    refused = scores | {"blessed": False, "blessed_reason": "KID 0.7 > 0.5"}
    assert "| blessed | no: KID 0.7 > 0.5 |" in render_card("faces", training, refused, "d")
