"""What stands beside the scores of the best snapshot, so that they can be believed."""

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from components.evaluate.config import EvaluateConfig
from components.evaluate.controls import controls_of, sentence_on
from components.evaluate.feature_cache import cached_feature_set
from components.evaluate.nearest import nearest_training_pictures
from components.evaluate.scoring import SAMPLES_KEPT, score
from components.evaluate.smoothness import WAYS, smoothness
from components.metrics.compared import Compared, hold_against
from components.metrics.drawing import Asked, draw
from components.metrics.extractor import Extractor
from components.metrics.feature_set import FeatureSet
from components.shared.classes import Classes
from components.shared.contracts import MANIFEST
from components.shared.files import read_json
from components.shared.generators import latent_size
from components.shared.normalization import to_pixels


class Evidence(NamedTuple):
    """Each part has its figures and a `sentence` on them."""

    controls: dict[str, dict[str, Any]]
    nearest: dict[str, Any]
    nearest_pictures: np.ndarray  # uint8 [≤ 64, S, S, 3], of the training
    smoothness: dict[str, Any]


def gather_evidence(
    records: Path,
    generator: keras.Model,
    samples: tuple[np.ndarray, Compared | None],
    real: tuple[np.ndarray, FeatureSet],
    train_split: np.ndarray,
    extractor: Extractor,
    checkpoint_root: Path,
    config: EvaluateConfig,
) -> Evidence:
    """Score the controls, look for what is learned by heart, and walk between latents.

    Args:
        records: Folder written by ingest.
        generator: The best one.
        samples: The first that it drew, uint8 [≤ 64, S, S, 3], and all of them held against the
            real ones; None where they are not finite.
        real: Held-out pictures, uint8 [N, S, S, 3], and their features.
        train_split: Pictures of the training, uint8 [N, S, S, 3].
        extractor: What describes pictures.
        checkpoint_root: Folder that outlives the run.
        config: Settings of this step.
    """
    (first, compared), (pictures, features) = samples, real
    controls = {}
    for name, control in controls_of(train_split).items():
        described = cached_feature_set(
            control.pictures, extractor, config.neighbours, checkpoint_root
        )
        found = hold_against(features, described)
        controls[name] = {
            "words": control.words,
            "images": len(control.pictures),
            **score(found),
            **sentence_on(control.words, found, compared),
        }
    held_out = pictures[:SAMPLES_KEPT], features.features[:SAMPLES_KEPT]
    nearest = nearest_training_pictures(records, extractor, (first, extractor(first)), held_out)

    classes = Classes.of(read_json(records / MANIFEST))

    def pictures_of(latents: np.ndarray) -> np.ndarray | None:
        labels = np.resize(classes.draw_labels(0, WAYS), len(latents)) if classes else None
        values = np.concatenate([*draw(generator, Asked(latents, labels))])
        return to_pixels(values).numpy() if np.isfinite(values).all() else None

    smooth = smoothness(pictures_of, latent_size(generator))
    return Evidence(controls, nearest.found, nearest.pictures, smooth)
