"""The compare task: whether a model may take the place of the one that is published."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from components.evaluate.config import EvaluateConfig
from components.shared.contracts import GENERATOR, MODEL_INFO
from components.shared.errors import PipelineError, one_line
from components.shared.files import read_json, write_json
from components.shared.published import Published, champion_in

if TYPE_CHECKING:
    import keras

LOG = logging.getLogger("dcgan.compare")


class Comparison(NamedTuple):
    """What the `comparison` file holds; None where there was nothing to compare with."""

    publish: bool
    reason: str  # one sentence
    kid: float | None  # None: not finite
    champion: str | None = None  # digest of the published model that was judged against
    champion_version: int | None = None
    champion_kid: float | None = None  # None also where it was not scored


def compare(
    records: Path, model: Path, publish_root: Path, comparison: Path, config: EvaluateConfig
) -> Comparison:
    """Judge a model by evaluate's thresholds, then against the newest published one.

    That is the newest at this moment: another run may have published since this one
    began. Both are scored on the held-out pictures of `records`, from the same seed. A
    tie keeps the champion. TensorFlow is imported only where two models are scored.

    Args:
        records: Folder written by ingest.
        model: Folder written by export.
        publish_root: Folder above the published models, each in a folder of its name.
        comparison: JSON file to make.
        config: Knobs of this step.

    Returns:
        What `comparison` holds.

    Raises:
        PipelineError: The published generator cannot be read.
    """
    info = read_json(model / MODEL_INFO)
    champion = champion_in(publish_root / info["name"])
    if champion is None or not info["blessed"]:
        result = Comparison(info["blessed"], info["blessed_reason"], info["scores"]["kid"])
    elif champion.digest == info["digest"]:
        reason = f"it is version {champion.version}, published already"
        kid = info["scores"]["kid"]
        result = Comparison(True, reason, kid, champion.digest, champion.version)
    else:
        LOG.info("scoring it and version %d, which is published", champion.version)
        result = _challenge(champion, model, records, config)
    LOG.info("%s: %s", "blessed" if result.publish else "not blessed", result.reason)
    write_json(comparison, result._asdict())
    return result


def _challenge(
    champion: Published, model: Path, records: Path, config: EvaluateConfig
) -> Comparison:
    import keras

    from components.evaluate.features import extract_features
    from components.evaluate.scoring import kid_of, load_real, score_generator

    real, _ = load_real(records, config)
    features = extract_features(real)
    challenger = keras.models.load_model(model / GENERATOR, compile=False)
    scores, _ = score_generator(challenger, features, config)
    defender = _load(champion)
    if defender.output_shape != challenger.output_shape:
        reason = (
            f"it draws {_size(challenger)} pictures, and version {champion.version}, which is "
            f"published, {_size(defender)} ones: choose another export.model_name"
        )
        return Comparison(False, reason, scores["kid"], champion.digest, champion.version)

    champion_scores, _ = score_generator(defender, features, config)
    kid, champion_kid = kid_of(scores), kid_of(champion_scores)
    better = kid < champion_kid
    reason = (
        f"KID {kid:.4g} is {'' if better else 'not '}below {champion_kid:.4g}, that of the "
        f"published version {champion.version}"
    )
    return Comparison(
        better, reason, scores["kid"], champion.digest, champion.version, champion_scores["kid"]
    )


def _load(champion: Published) -> "keras.Model":
    import keras

    path = champion.folder / GENERATOR
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras has many for a file that it cannot read
        raise PipelineError(
            f"cannot read {path}, to compare with ({one_line(error)}): restore it, or remove "
            f"version {champion.version}"
        ) from error


def _size(generator: "keras.Model") -> str:
    height, width = generator.output_shape[1:3]
    return f"{width}×{height}"
