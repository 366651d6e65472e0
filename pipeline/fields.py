"""The settings of a configuration, as its models define them: in words, and as typed."""

from collections.abc import Iterator, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "a multiple of"}
_SECTION = "a section of keys and values"
_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_NOTHING = {"", "''", '""'}  # what empties a text


class Setting(NamedTuple):
    """One value that a person may set."""

    key: str  # section.name
    field: FieldInfo

    @property
    def section(self) -> str:
        """Where it is; empty at the top level."""
        return self.key.rpartition(".")[0]


def all_settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """All settings of a model and of the sections in it, in the order of their definition."""
    for name, field in model.model_fields.items():
        if section := section_of(field):
            yield from all_settings(section, f"{prefix}{name}.")
        else:
            yield Setting(prefix + name, field)


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The model of a field that holds further fields."""
    return field.annotation if _is_model(field.annotation) else None


def field_at(location: Sequence[str], model: type[BaseModel]) -> FieldInfo | None:
    """The field that a key's parts lead to; None where there is none."""
    fields, found = model.model_fields, None
    for part in location:
        found = fields.get(part)
        if found is None:
            return None
        section = section_of(found)
        fields = section.model_fields if section else {}
    return found


def kind_at(location: Sequence[str], model: type[BaseModel]) -> Any:
    """The type that a key's parts lead to, also in a mapping; None where there is none."""
    kind: Any = model
    for part in location:
        if _is_model(kind):
            field = kind.model_fields.get(part)
            kind = field.annotation if field else None
        else:
            kind = get_args(kind)[1] if get_origin(kind) is dict else None
    return kind


def read_typed(text: str, kind: Any) -> Any:
    """The value that a person typed for a setting of this type: a text as it stands, else YAML.

    Raises:
        NO_YAML: It is none.
    """
    if text.strip() in _NOTHING:
        return ""  # YAML's nothing is null
    if _is_text(kind) and get_origin(kind) is not Literal:
        return text
    of = get_args(kind)
    holds_texts = _is_text(kind) or (get_origin(kind) in {tuple, dict} and all(map(_is_text, of)))
    # To the base loader, no and 4 are texts.
    return yaml.load(text, yaml.BaseLoader if holds_texts else PlainLoader)


# What PyYAML raises on text of a person; the last two where a tag asks for what is not there.
NO_YAML = (yaml.YAMLError, ValueError, RecursionError, AttributeError, IndexError)


class PlainLoader(yaml.SafeLoader):
    """Reads YAML whose numbers are decimal, as people write them: 010 is ten, 1:30 a text."""


def _read_number(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
    text = str(loader.construct_scalar(node))
    try:
        is_whole = node.tag.endswith(":int")
        return int(text) if is_whole or ":" in text else loader.construct_yaml_float(node)
    except ValueError:
        return text


for _tag in ("int", "float"):
    PlainLoader.add_constructor(f"tag:yaml.org,2002:{_tag}", _read_number)


def takes(field: FieldInfo) -> str:
    """What may be set, from the field's own type, constraints and examples."""
    taken = _takes(field.annotation, field.metadata)
    return f"{taken}, such as [{', '.join(field.examples)}]" if field.examples else taken


def _takes(kind: Any, rules: Sequence[Any] = ()) -> str:
    if _is_model(kind):
        return _SECTION
    of = get_args(kind)
    match get_origin(kind):
        case origin if origin is Literal:
            return "one of " + ", ".join(map(str, of))
        case origin if origin is Annotated:
            return _takes(of[0], [rule for one in of[1:] for rule in getattr(one, "metadata", ())])
        case origin if origin in {Union, UnionType}:
            return ", or ".join(_takes(one) for one in of if one is not NoneType)
        case origin if origin in {tuple, dict}:
            return _list_of(of[0]) if origin is tuple else _by_name(*of)
    return ", ".join([_KINDS[kind], *_bounds(rules)])


def _by_name(name: Any, kind: Any) -> str:
    if kind is Any:
        return _SECTION
    return f"texts by {', '.join(get_args(name)) or 'name'}"


def _list_of(kind: Any) -> str:
    if _is_model(kind):
        return f"a list of sections with {', '.join(kind.model_fields)}"
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return f"a list of {', '.join(choices)}, such as [{', '.join(choices[:2])}]"
    return "a list of texts"


def _bounds(rules: Sequence[Any]) -> Iterator[str]:
    for rule in rules:
        for name, sign in _SIGNS.items():
            if (bound := getattr(rule, name, None)) is not None:
                yield f"{sign} {bound:,}"
        if getattr(rule, "min_length", None):
            yield "not empty"
        if (most := getattr(rule, "max_length", None)) is not None:
            yield f"at most {most:,} signs"
        if pattern := getattr(rule, "pattern", None):
            yield f"fitting `{pattern}`"


def _is_text(kind: Any) -> bool:
    of = get_args(kind)
    match get_origin(kind):
        case origin if origin is Literal:
            return all(isinstance(one, str) for one in of)
        case origin if origin is Annotated:
            return _is_text(of[0])
        case origin if origin in {Union, UnionType}:
            return all(one is NoneType or _is_text(one) for one in of)
    return kind in {str, Ellipsis}  # tuple[str, ...]


def _is_model(kind: Any) -> TypeGuard[type[BaseModel]]:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
