"""The model card: what the model is, how to use it, what it was made from, how good it is."""

from pathlib import Path
from typing import Any

import jinja2

_TEMPLATES = Path(__file__).with_name("templates")
_SCORES = {  # key → what the card calls it
    "kid": "KID (lower is better)",
    "frechet_distance": "Fréchet distance (lower is better)",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}
_RECIPE = (  # of the training configuration, in the order of the card; others are left out
    "batch_size",
    "latent_size",
    "base_width",
    "kernel_size",
    "upsampling",
    "dropout",
    "spectral_norm",
    "loss",
    "generator_learning_rate",
    "discriminator_learning_rate",
    "generator_beta_1",
    "discriminator_beta_1",
    "r1_weight",
    "augment",
    "flip",
    "ema_half_life",
    "seed",
)


def render_card(name: str, training: dict[str, Any], scores: dict[str, Any], digest: str) -> str:
    """Render the card as Markdown; the same inputs give the same text.

    Args:
        name: Name of the model.
        training: What training.json holds.
        scores: What scores.json holds.
        digest: Of the generator's weights.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, and nothing in it comes from the pictures
    )
    config = training["config"]
    return environment.get_template("MODEL_CARD.md.j2").render(
        name=name,
        digest=digest,
        training=training,
        data=training["data"],
        recipe=[(key, _value(config[key])) for key in _RECIPE if key in config],
        scores=scores,
        score_rows=[
            (label, _number(scores["best"].get(key)), _number(scores["floor"].get(key)))
            for key, label in _SCORES.items()
        ],
    )


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(value) or "none"
    return str(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
