"""The model card: what the model is, how to use it, what it was made from, how good it is.

Its parts are those of Mitchell et al. 2019, §4, https://arxiv.org/abs/1810.03993.
"""

from pathlib import Path
from typing import Any

from components.evaluate.controls import CONTROLS
from components.evaluate.page import write_page
from components.shared.contracts import MODEL_INFO, SCORES_FILE, TRAINING
from components.shared.files import read_json

_ROWS = {  # key → what the card calls it
    "kid": "KID (lower is better)",
    "kid_interval": "± (95 %)",
    "frechet_distance": "Fréchet distance (lower is better)",
    "frechet_infinity": "Fréchet distance, extrapolated",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}
_RECIPE = (  # of the training configuration, in the order of the card; others are left out
    "warm_start",
    "batch_size",
    "latent_size",
    "base_width",
    "discriminator_width",
    "palette",
    "kernel_size",
    "upsampling",
    "leaky_slope",
    "dropout",
    "spectral_norm",
    "loss",
    "generator_learning_rate",
    "discriminator_learning_rate",
    "generator_beta_1",
    "discriminator_beta_1",
    "r1_weight",
    "augment",
    "class_draws",
    "flip",
    "ema_half_life",
    "seed",
)


def write_card(
    path: Path, *, training: Path, evaluation: Path, model: Path, comparison: Path
) -> None:
    """Write the card as Markdown; the same inputs give the same text.

    Args:
        path: File to write.
        training: Folder written by train.
        evaluation: Folder written by evaluate.
        model: Folder written by export.
        comparison: File written by compare, which has the verdict.
    """
    trained, scores = read_json(training / TRAINING), read_json(evaluation / SCORES_FILE)
    config = trained["config"]
    controls = [(name, scores["controls"][name]) for name in CONTROLS]
    columns = [scores["best"], *(control for _, control in controls)]
    found = [*(control for _, control in controls), scores["nearest"], scores["smoothness"]]
    write_page(
        path,
        "MODEL_CARD.md.j2",
        model=read_json(model / MODEL_INFO),
        comparison=read_json(comparison),
        training=trained,
        origin=trained.get("descends_from"),
        data=trained["data"],
        recipe=[
            (key, _value(config[key]))
            for key in _RECIPE
            if key in config and (key != "class_draws" or scores["by_class"])
        ],
        scores=scores,
        controls=controls,
        sentences=[one["sentence"] for one in found],
        score_rows=[
            (label, *(_number(column.get(key)) for column in columns))
            for key, label in _ROWS.items()
        ],
    )


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(value) or "none"
    return str(value)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
