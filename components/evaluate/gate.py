"""The compare task: whether a model is good enough, and better than the one that is published."""

import contextlib
import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from components.evaluate.class_names import unlike_classes
from components.evaluate.config import EvaluateConfig
from components.evaluate.limits import meets_limits
from components.shared.contracts import GENERATOR, MANIFEST, MODEL_INFO, SCORED_BY, SCORES_FILE
from components.shared.errors import PipelineError, one_line
from components.shared.files import read_json, write_json
from components.shared.published import Published, champion_in, home_of, info_of, local_copy

if TYPE_CHECKING:
    import keras

LOG = logging.getLogger("dcgan.compare")


class Comparison(NamedTuple):
    """What the `comparison` file holds, beside `SCORED_BY`; None where nothing was compared.

    A KID that is not finite is None, too.
    """

    blessed: bool
    reason: str  # one sentence
    kid: float | None
    champion: str | None = None  # digest of the published model that was judged against
    champion_version: int | None = None
    champion_kid: float | None = None
    difference: float | None = None  # of this KID and the champion's; below 0 is better
    difference_interval: float | None = None  # half the width of its 95 % interval


def compare(
    records: Path,
    evaluation: Path,
    model: Path,
    publish_root: str,
    comparison: Path,
    checkpoint_root: Path,
    config: EvaluateConfig,
) -> Comparison:
    """Judge a model by the limits of its configuration, then against the newest published one.

    That is the newest at this moment: another run may have published since this one
    began. Both are scored on the held-out pictures of `records`, from the same seed, and
    the published one stays unless its KID is higher by more than chance gives.
    TensorFlow is imported only where two models are scored.

    Args:
        records: Folder written by ingest.
        evaluation: Folder written by evaluate.
        model: Folder written by export.
        publish_root: Folder, `gs://…` or `s3://…` above the published models, each in a folder
            of its name.
        comparison: JSON file to make.
        checkpoint_root: Folder that outlives the run, for features of real pictures.
        config: Settings of this step.

    Returns:
        The verdict, which is what `comparison` holds.

    Raises:
        PipelineError: The published generator cannot be read.
    """
    info, scores = read_json(model / MODEL_INFO), read_json(evaluation / SCORES_FILE)
    kid = scores["best"]["kid"]
    good_enough, reason = meets_limits(scores, config)
    champion = champion_in(home_of(publish_root, info["name"]))
    if champion is None or not good_enough:
        result = Comparison(good_enough, reason, kid)
    elif champion.digest == info["digest"]:
        reason = f"it is version {champion.version}, published already"
        result = Comparison(True, reason, kid, champion.digest, champion.version)
    elif info["digest"] in champion.withdrawn:
        reason = f"it was withdrawn by a rollback, before version {champion.version}"
        result = Comparison(False, reason, kid, champion.digest, champion.version)
    else:
        LOG.info("scoring it and version %d, which is published", champion.version)
        theirs, mine = (one.get("classes", []) for one in (info_of(champion.address), info))
        if unlike := unlike_classes(theirs, mine, champion.version):
            unlike += ": set export.model_name"
            result = Comparison(False, unlike, kid, champion.digest, champion.version)
        else:
            result = _challenge(champion, model, records, checkpoint_root, config)
        result = result._replace(reason=f"{reason}; {result.reason}")
    LOG.info("%s", result.reason)
    LOG.info("blessed" if result.blessed else "not blessed")
    write_json(comparison, {**result._asdict(), **{key: info[key] for key in SCORED_BY}})
    return result


def _challenge(
    champion: Published, model: Path, records: Path, checkpoint_root: Path, config: EvaluateConfig
) -> Comparison:
    import keras

    from components.evaluate.extractors.registry import load_extractor
    from components.evaluate.feature_cache import cached_feature_set
    from components.evaluate.scoring import draw_samples, load_real
    from components.metrics.compared import hold_against
    from components.metrics.kid import kid, kid_difference
    from components.shared.classes import Classes

    classes = Classes.of(read_json(records / MANIFEST))
    extractor = load_extractor(config)
    pictures, _ = load_real(records, config)
    real = cached_feature_set(pictures, extractor, config.neighbours, checkpoint_root)
    challenger = keras.models.load_model(model / GENERATOR, compile=False)
    defender = _load(champion)
    drawn = draw_samples(challenger, extractor, config, classes).features
    ours = None if drawn is None else hold_against(real, drawn)
    our_kid = None if ours is None else kid(ours).value
    result = Comparison(False, "", our_kid, champion.digest, champion.version)
    if defender.output_shape != challenger.output_shape:
        reason = (
            f"it draws {_size(challenger)} pictures, version {champion.version} "
            f"{_size(defender)}: set export.model_name"
        )
        return result._replace(reason=reason)

    drawn = draw_samples(defender, extractor, config, classes).features
    if ours is None:
        return result._replace(reason="its pictures are not finite numbers")
    if drawn is None:
        return result._replace(
            blessed=True,
            reason=f"the pictures of version {champion.version} are not finite numbers",
        )
    theirs = hold_against(real, drawn)
    their_kid, difference = kid(theirs).value, kid_difference(ours, theirs)
    better = difference.value < -difference.interval
    reason = (
        f"KID {our_kid:.4g} is {'' if better else 'not '}more than chance "
        f"({difference.interval:.2g}) below version {champion.version}'s {their_kid:.4g}"
    )
    return result._replace(
        blessed=better,
        reason=reason,
        champion_kid=their_kid,
        difference=difference.value,
        difference_interval=difference.interval,
    )


def refuse_damaged(champion: Published) -> None:
    """Raise PipelineError for a published generator that is missing or damaged.

    Without TensorFlow: what else may be wrong with it is found as it is loaded.
    """
    with _generator_of(champion) as path, zipfile.ZipFile(path) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"bad CRC-32 of {damaged}")
        archive.getinfo("config.json")


def _load(champion: Published) -> "keras.Model":
    import keras

    with _generator_of(champion) as path:
        return keras.models.load_model(path, compile=False)


@contextlib.contextmanager
def _generator_of(champion: Published) -> Iterator[Path]:
    """Yield the published generator's file; PipelineError where the block cannot read it."""
    address = f"{champion.address}/{GENERATOR}"
    with local_copy(address) as path:
        try:
            yield path
        except Exception as error:  # Keras has many for a file that it cannot read
            raise PipelineError(
                f"cannot read {address}, to compare with ({one_line(error)}): restore it, or "
                f"remove version {champion.version}"
            ) from error


def _size(generator: "keras.Model") -> str:
    height, width = generator.output_shape[1:3]
    return f"{width}×{height}"
