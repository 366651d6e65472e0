"""The validate task: what the pictures are, and how they differ from the published model's."""

import logging
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from components.evaluate.class_names import unlike_classes
from components.evaluate.config import OWN, EvaluateConfig
from components.evaluate.enough import refuse_too_few
from components.evaluate.gate import refuse_damaged
from components.evaluate.real_features import MOST, RealFeatures
from components.shared.contracts import (
    DATA,
    DRIFT,
    EVAL_SPLIT,
    MANIFEST,
    REAL_FEATURES,
    STATISTICS,
    TRAIN_SPLIT,
)
from components.shared.files import complete_or_absent, read_json, write_json
from components.shared.published import Published, champion_in, local_copy

LOG = logging.getLogger("dcgan.validate")

_TRIED = 8  # pictures that an extractor is tried on
_OF_MANIFEST = (
    "digest", "image_size", "counts", "near_duplicates", "rejected_by_reason", "sizes", "classes",
)  # fmt: skip

_Count = Annotated[int, Field(ge=0, le=2**53)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Level = Annotated[float, Field(ge=0, le=255)]
_ThreeLevels = Annotated[list[_Level], Field(min_length=3, max_length=3)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True)


class _Counts(_Strict):
    train: _Count
    eval: _Count
    duplicate: _Count
    rejected: _Count


class _Bins(_Strict):
    edges: list[FiniteFloat]
    counts: list[_Count]


class _Sizes(_Strict):
    shorter_side: _Bins
    aspect: _Bins


class _Levels(_Strict):
    mean: _ThreeLevels
    standard_deviation: _ThreeLevels


class _Statistics(_Levels):
    classes: list[_Levels] = []  # by number
    histogram: Annotated[list[list[_Share]], Field(min_length=3, max_length=3)]


class _Class(_Strict):
    name: str
    train: _Count


class _Published(_Strict):
    """What is compared of a published `data.json`."""

    digest: str
    image_size: _Count
    counts: _Counts
    sizes: _Sizes
    statistics: _Statistics
    classes: list[_Class] = []  # older versions have none


class _NotComparable(Exception):
    """Why there is no KID, in a few words."""


class Drift(NamedTuple):
    """What `drift.json` holds; None where there was nothing to compare, or no way to."""

    sentence: str
    version: int | None = None  # of the published model
    differs: bool | None = None  # beyond chance
    kid: float | None = None  # of its held-out pictures and these
    chance: float | None = None  # at most this if they differ by chance alone
    images: tuple[int, int] | None = None  # how many are held out, of the published model and here
    extractor: dict[str, str] | None = None  # by which both were compared
    histogram_distance: list[float] | None = None  # total variation per channel, 0 to 1
    published: dict[str, Any] | None = None  # its data as far as compared, where it is other data


def validate(
    records: Path,
    transform_graph: Path,
    home: str | Path,
    validation: Path,
    config: EvaluateConfig,
) -> Drift:
    """Describe the pictures, and hold them against those that the published model learned from.

    What evaluate and compare would refuse after the training is refused here, before it.
    TensorFlow is imported only where pictures are compared with other ones, or by another
    extractor than our own.

    Args:
        records: Folder written by ingest.
        transform_graph: Folder written by transform.
        home: Folder or address of the model under the publish root; it need not exist.
        validation: Folder to make: `data.json`, which is published with a model, and
            `drift.json`.
        config: Settings of this step, which name the extractor.

    Returns:
        What `drift.json` holds. What cannot be compared is said so there, and is no error.

    Raises:
        DataRefused: There are fewer pictures than scores need.
        UsageError: There is no such extractor, or it describes no pictures.
        PipelineError: Its address does not answer; a record or the published generator is
            damaged.
    """
    manifest = read_json(records / MANIFEST)
    refuse_too_few(manifest["counts"], config)
    _try_extractor(records, manifest["image_size"], config)
    statistics = read_json(transform_graph / STATISTICS)
    data = {key: manifest[key] for key in _OF_MANIFEST} | {"statistics": statistics}
    champion = champion_in(home)
    drift = Drift("no model is published yet")
    if champion:
        refuse_damaged(champion)
        drift = _drift(data, records, champion, config)
    LOG.info(_describe(data["counts"]))
    LOG.info(drift.sentence)
    with complete_or_absent(validation) as folder:
        write_json(folder / DATA, data)
        write_json(folder / DRIFT, drift._asdict())
    return drift


def _try_extractor(records: Path, image_size: int, config: EvaluateConfig) -> None:
    """Have it describe some pictures, unless it is our own, which is known to do so."""
    if config.extractor == OWN:
        return
    from components.evaluate.extractors.registry import load_extractor
    from components.shared.records import decode_images, load_images

    load_extractor(config)(decode_images(load_images(records, EVAL_SPLIT, _TRIED), image_size))


def _describe(counts: dict[str, int]) -> str:
    return (
        f"{counts[TRAIN_SPLIT]:,} pictures to train on, {counts[EVAL_SPLIT]:,} held out, "
        f"{counts['duplicate']:,} duplicates, {counts['rejected']:,} rejected"
    )


def _drift(
    data: dict[str, Any], records: Path, champion: Published, config: EvaluateConfig
) -> Drift:
    version = champion.version
    try:
        with local_copy(f"{champion.address}/{DATA}") as path:
            published = _Published.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Drift(f"version {version} was published without {DATA}: nothing to compare", version)
    except (OSError, ValidationError):
        return Drift(f"not compared with version {version}'s: its {DATA} is damaged", version)
    if published.digest == data["digest"]:
        return Drift(f"the same pictures as version {version}'s", version, differs=False)

    changes = Drift(
        "",
        version,
        histogram_distance=_distance(
            published.statistics.histogram, data["statistics"]["histogram"]
        ),
        published=published.model_dump(),
    )
    if sentence := _unlike(published, data, version):
        return changes._replace(sentence=sentence)
    try:
        return _compare(changes, records, _features_of(champion), config)
    except _NotComparable as reason:
        sentence = f"other pictures; no KID with version {version}'s: {reason}"
        return changes._replace(sentence=sentence)


def _unlike(published: _Published, data: dict[str, Any], version: int) -> str | None:
    """Why models of the two cannot be compared, whatever their pictures are; None if they can."""
    old_size, size = published.image_size, data["image_size"]
    if old_size != size:
        return (
            f"{size}×{size} pixels, where version {version}'s are {old_size}×{old_size}: "
            "no KID between the two, and only another export.model_name can be published"
        )
    before, now = [one.name for one in published.classes], [one["name"] for one in data["classes"]]
    unlike = unlike_classes(before, now, version)
    return unlike and f"{unlike}: only another export.model_name can be published"


def _features_of(champion: Published) -> RealFeatures:
    with local_copy(f"{champion.address}/{REAL_FEATURES}") as path:
        try:
            return RealFeatures.load(path)
        except FileNotFoundError:
            raise _NotComparable("its features are missing") from None
        except ValueError:
            raise _NotComparable("its features are damaged") from None


def _distance(old: list[list[float]], new: list[list[float]]) -> list[float] | None:
    """Half the sum of differences of each channel's histogram; None for other bins."""
    if [len(channel) for channel in old] != [len(channel) for channel in new]:
        return None
    return [
        sum(abs(after - before) for before, after in zip(*channels, strict=True)) / 2
        for channels in zip(old, new, strict=True)
    ]


def _compare(changes: Drift, records: Path, old: RealFeatures, config: EvaluateConfig) -> Drift:
    import numpy as np

    from components.evaluate.extractors.registry import load_extractor
    from components.metrics.drift import drift_kid
    from components.shared.records import decode_images, load_images

    extractor = load_extractor(config)
    if old.extractor != extractor.description:
        raise _NotComparable("its extractor is another")
    image_size = read_json(records / MANIFEST)["image_size"]
    pictures = decode_images(load_images(records, EVAL_SPLIT, MOST), image_size)
    new = RealFeatures.of(pictures, extractor(pictures), extractor.description)
    if old.values.shape[1] != new.values.shape[1]:
        raise _NotComparable("its features are damaged")
    digests, first = np.unique(np.concatenate([old.digests, new.digests]), return_index=True)
    in_old, in_new = np.isin(digests, old.digests), np.isin(digests, new.digests)
    if min(in_old.sum(), in_new.sum()) < 2:
        raise _NotComparable("too few are held out")
    kid, chance = drift_kid(np.concatenate([old.values, new.values])[first], in_old, in_new)
    differs = kid > chance
    sentence = (
        f"other pictures, {'unlike' if differs else 'but like'} version {changes.version}'s: "
        f"KID {kid:.4f}, chance up to {chance:.4f}"
    )
    return changes._replace(
        sentence=sentence, differs=differs, kid=kid, chance=chance,
        images=(int(in_old.sum()), int(in_new.sum())), extractor=extractor.description,
    )  # fmt: skip
