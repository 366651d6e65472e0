"""The configuration of a whole run: profile, then file, then single overrides."""

import contextlib
import copy
import difflib
import locale
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from components.evaluate.config import EvaluateConfig
from components.export.config import ExportConfig
from components.ingest.addresses import addresses, make_absolute
from components.ingest.config import IngestConfig
from components.shared.buckets import is_remote
from components.shared.contracts import BASE
from components.shared.errors import UsageError, one_line
from components.train.config import TrainConfig
from components.transform.config import TransformConfig
from pipeline.cluster.config import ClusterConfig
from pipeline.fields import NO_YAML, PlainLoader, all_settings, field_at, kind_at, read_typed, takes
from pipeline.typed_text import as_typed

_PROFILES = Path(__file__).parent / "profiles"
_DEMO_IMAGES = Path(__file__).parent / "demo" / "faces_cc0_1000.zip"
_PATHS = {
    "images", "ingest.staging", "transform.staging", "train.warm_start",
    "evaluate.extractor_source",
}  # fmt: skip
_GONE = {
    "evaluate.snapshots": "remove it; all snapshots are looked at, and train.snapshots_kept "
    "bounds their number",
}
DEMO = "demo"  # as `images`: the pictures that this package brings


def _join_lines(images: Any) -> Any:
    is_list = isinstance(images, list) and all(isinstance(one, str) for one in images)
    return "\n".join(images) if is_list else images


Sources = Annotated[str, BeforeValidator(_join_lines)]  # one a line; a file may have a list


class PipelineConfig(BaseModel):
    """Everything that determines a run; one section per step, and one for Kubeflow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Sources | None = Field(
        None, description="Sources of pictures, or `demo`; in a file, a list of them, too."
    )
    paranoid: bool = Field(False, description="Read each local file anew to see what changed.")
    ingest: IngestConfig = IngestConfig()
    transform: TransformConfig = TransformConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    export: ExportConfig = ExportConfig()
    cluster: ClusterConfig = ClusterConfig()

    @model_validator(mode="after")
    def _ask_for_two_batches(self) -> "PipelineConfig":
        if "min_images" not in self.transform.model_fields_set:
            asked = self.transform.model_copy(update={"min_images": 2 * self.train.batch_size})
            asked.model_fields_set.discard("min_images")  # it was worked out, not given
            object.__setattr__(self, "transform", asked)
        return self

    @model_validator(mode="after")
    def _name_from_the_root(self) -> "PipelineConfig":
        source = make_absolute(self.evaluate.extractor_source)
        named = self.evaluate.model_copy(update={"extractor_source": source})
        object.__setattr__(self, "evaluate", named)
        for step in ("ingest", "transform"):
            config = getattr(self, step)
            place = {"staging": make_absolute(config.staging)}
            object.__setattr__(self, step, config.model_copy(update=place))
        if self.train.warm_start != BASE:
            source = make_absolute(self.train.warm_start)
            if source and not is_remote(source):
                source = str(Path(source).resolve())  # a link may point elsewhere tomorrow
            object.__setattr__(self, "train", self.train.model_copy(update={"warm_start": source}))
        return self

    @property
    def sources(self) -> str:
        """The sources by absolute paths, one a line; UsageError where none are named."""
        if not (named := addresses(self.images or "")):
            raise UsageError(
                "no pictures named: pass --images with a folder, an archive, a pattern, @list "
                "or the address of a bucket"
            )
        return str(_DEMO_IMAGES) if named == [DEMO] else make_absolute("\n".join(named))

    def to_yaml(self) -> str:
        """This configuration as a file that `--config` takes; what was worked out is left out."""
        values = self.model_dump(mode="json")
        if "min_images" not in self.transform.model_fields_set:
            del values["transform"]["min_images"]
        if len(named := addresses(self.images or "")) > 1:
            values["images"] = named
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)


def profiles() -> list[str]:
    """Names that `--profile` takes."""
    return sorted(path.stem for path in _PROFILES.glob("*.yaml"))


def load_config(
    profile: str | None = None,
    file: Path | None = None,
    overrides: Sequence[str] = (),
    images: list[str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> PipelineConfig:
    """Compose a configuration; what comes later wins.

    Args:
        profile: Name of a profile of this package.
        file: YAML file with any of the keys.
        overrides: ``section.key=value``: of a text as it stands, of all else as YAML.
        images: Sources of pictures; `demo` for this package's, where no such path is. Paths are
            kept as absolute ones, so that the saved configuration repeats the run from any
            folder.
        settings: Any of the keys, nested as in a file or dotted (``train.epochs``), with their
            values; between file and overrides.

    Raises:
        UsageError: A name, key, type or value that does not fit; says which would.
    """
    values: dict[str, Any] = {}
    for layer in layers(profile, file):
        _merge(values, layer.values)
    for key, value in (settings or {}).items():
        _merge(values, _nest(key, copy.deepcopy(value)))
    _merge(values, parse_overrides(overrides))
    if images is not None:
        is_demo = images == [DEMO] and not Path(DEMO).exists()
        values["images"] = DEMO if is_demo else make_absolute("\n".join(images))
    try:
        return PipelineConfig.model_validate(values)
    except ValidationError as error:
        raise UsageError("; ".join(map(explain, error.errors()))) from None


class Layer(NamedTuple):
    """What one place sets."""

    origin: str  # as a person names that place
    values: dict[str, Any]


def layers(
    profile: str | None = None, file: Path | None = None, overrides: Sequence[str] = ()
) -> list[Layer]:
    """What profile, file and single overrides set, unchecked; what comes later wins."""
    found = []
    if profile is not None:
        found.append(Layer(f"profile {profile}", read_sections(_profile_path(profile))))
    if file is not None:
        found.append(Layer(f"file {file}", read_sections(file)))
    return found + [Layer("--set", _parse_override(override)) for override in overrides]


def _profile_path(name: str) -> Path:
    if name not in profiles():
        raise UsageError(f"no profile {name!r}: choose one of {', '.join(profiles())}")
    return _PROFILES / f"{name}.yaml"


def read_yaml(path: Path, kind: str) -> Any:
    """What a person's YAML file holds; UsageError, which names its kind, if it cannot be read."""
    try:
        return yaml.load(path.read_bytes(), PlainLoader)  # UTF-8, or UTF-16 with its mark
    except (OSError, *NO_YAML) as error:
        problem = one_line(getattr(error, "strerror", None) or error)
        raise UsageError(f"cannot read {kind} {path}: {problem}") from None


def read_sections(path: Path) -> dict[str, Any]:
    """What a configuration file holds, unchecked; UsageError if it holds no sections."""
    values = read_yaml(path, "configuration")
    if not isinstance(values or {}, dict):
        raise UsageError(f"configuration {path} holds no sections: write `train:` and so on")
    return values or {}


def parse_overrides(texts: Sequence[str]) -> dict[str, Any]:
    """Settings from ``section.key=value``, nested as in a file; UsageError for what is none."""
    settings: dict[str, Any] = {}
    for text in texts:
        _merge(settings, _parse_override(text))
    return settings


def _parse_override(text: str) -> dict[str, Any]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise UsageError(f"--set {text}: write section.key=value, e.g. --set train.epochs=5")
    location = key.strip().split(".")
    if key != key.rstrip():  # spaces round the sign
        value = value.lstrip()
    kind = kind_at(location, PipelineConfig)
    if location == ["images"] and _is_list(value):
        kind = tuple[str, ...]
    try:
        if not _is_path(key.strip()):  # whose bytes are those of the disk
            value = as_typed(value)
        # What is wrong about a key that leads nowhere is told later.
        parsed = value if kind is None else read_typed(value, kind)
    except UnicodeError:
        raise UsageError(
            f"--set {text}: is no text in the terminal's encoding, {locale.getencoding()}"
        ) from None
    except NO_YAML:
        field = field_at(location, PipelineConfig)
        wanted = f": must be {takes(field)}" if field else ""
        raise UsageError(f"--set {text}: {value!r} is no YAML{wanted}") from None
    return _nest(key.strip(), parsed)


def _is_list(value: str) -> bool:
    """Whether it is a list, as `dcgan settings` shows several; [0-9] is a pattern."""
    with contextlib.suppress(*NO_YAML):
        listed = yaml.load(value, yaml.BaseLoader)
        return isinstance(listed, list) and len(listed) > 1
    return False


def _is_path(key: str) -> bool:
    return key in _PATHS or key.endswith("_file")


def _nest(key: str, value: Any) -> dict[str, Any]:
    *sections, leaf = key.split(".")
    nested = {leaf: value}
    for section in reversed(sections):
        nested = {section: nested}
    return nested


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def explain(error: ErrorDetails, model: type[BaseModel] = PipelineConfig) -> str:
    """One validation error of a model in the words of who typed the value."""
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"{key}: no such key{_suggest(location, model)}"
    field = field_at(location, model)
    if error["type"] == "string_type" and not isinstance(error["input"], dict | list | tuple):
        # YAML takes no, 4, 2026-01-01 and #ffffff for something else.
        wanted = "must be a text: put it into quotes"
    # Our validators say what they want, and so does pydantic of texts and of what is missing.
    elif field is None or error["type"].startswith(("value_error", "missing", "string_")):
        wanted = error["msg"].removeprefix("Value error, ")
    else:
        wanted = f"must be {takes(field)}"
    return f"{key} (={error['input']!r}): {wanted}"


def _suggest(location: Sequence[str], model: type[BaseModel]) -> str:
    """What to do instead: the nearest right name of the same section, else of any."""
    if advice := _GONE.get(".".join(location)):
        return f": {advice}"
    *section, leaf = location
    keys = [setting.key for setting in all_settings(model)]
    depth = len(section)
    siblings = {key.split(".")[depth] for key in keys if key.split(".")[:depth] == section}
    by_leaf = {key.rpartition(".")[2]: key for key in keys}
    if close := difflib.get_close_matches(leaf, siblings):
        return f"; did you mean {'.'.join([*section, close[0]])}?"
    if close := difflib.get_close_matches(leaf, by_leaf):
        return f"; did you mean {by_leaf[close[0]]}?"
    return f"; choose from {', '.join(sorted(siblings))}"
