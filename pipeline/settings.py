"""All settings, for a person: those of a command on the terminal, and the page of them all."""

import inspect
import itertools
import textwrap
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from components.shared.errors import UsageError
from pipeline.config import PipelineConfig, layers, load_config
from pipeline.fields import Setting, all_settings, field_at, section_of, takes
from pipeline.show import plain

PAGE = Path(__file__).parents[1] / "docs/settings.md"
_INDENT = 4
_PAGE_HEAD = """\
# Settings

Made by `make docs` from the models in `components/<step>/config.py`, `pipeline/config.py` and
`pipeline/cluster/config.py`; `dcgan settings` says the same of a profile, a file and `--set`.
"""


class Choice(NamedTuple):
    """A setting and how it is set."""

    setting: Setting
    value: Any
    origin: str  # where the value comes from, as a person names that place

    @property
    def is_default(self) -> bool:
        """Whether the value is the one that it has where nothing sets it."""
        return bool(self.value == self.setting.field.default)


def choices(
    section: str | None, profile: str | None, file: Path | None, overrides: Sequence[str]
) -> list[Choice]:
    """All settings of a section, in order, as `load_config` sets them.

    Args:
        section: A section, whose sections count, too; or one key; None is all.
        profile: As for `load_config`.
        file: As for `load_config`.
        overrides: As for `load_config`.

    Raises:
        UsageError: There is no such section, or the configuration is none.
    """
    found = [
        setting
        for setting in all_settings(PipelineConfig)
        if section is None or f"{setting.key}.".startswith(f"{section}.")
    ]
    if not found:
        raise UsageError(f"no section {section!r}: choose one of {', '.join(_sections())}")
    config = load_config(profile, file, overrides)
    places = layers(profile, file, overrides)
    chosen = []
    for setting in found:
        value = attrgetter(setting.key)(config)
        setters = [place.origin for place in places if _sets(place.values, setting.key)]
        derived = "default" if value == setting.field.default else "made from other settings"
        chosen.append(Choice(setting, value, setters[-1] if setters else derived))
    return chosen


def listing(chosen: Sequence[Choice], width: int) -> Iterator[str]:
    """Lines in rich's markup; what differs from its default has an asterisk, and is bold."""
    for section, group in itertools.groupby(chosen, lambda choice: choice.setting.section):
        if section:
            yield from textwrap.wrap(f"{section}: {_meaning_of(section)}", width)
            yield ""
        for choice in group:
            yield _headline(choice, width)
            field = choice.setting.field
            facts = f"{takes(field)}; default {_shown(field.default)}"
            for text in (str(field.description), facts):
                lines = textwrap.wrap(
                    text, width - _INDENT, break_long_words=False, break_on_hyphens=False
                )
                yield from (_INDENT * " " + plain(line) for line in lines)
        yield ""


def _headline(choice: Choice, width: int) -> str:
    """Key and value, and at the right margin where it comes from; on two lines if too long."""
    mark, style = (" ", "not bold") if choice.is_default else ("*", "bold")
    said = f"{mark} {choice.setting.key} = {_shown(choice.value)}"
    gap = width - len(said) - len(choice.origin)
    space = gap * " " if gap > 1 else "\n" + (width - len(choice.origin)) * " "
    return f"[{style}]{plain(said)}[/]{space}[dim]{plain(choice.origin)}[/]"


def page() -> str:
    """All settings as Markdown, a table per section."""
    lines = [_PAGE_HEAD]
    for section, group in itertools.groupby(all_settings(PipelineConfig), lambda one: one.section):
        if section:
            lines += [f"## {section}", "", _meaning_of(section), ""]
        lines += ["| key | what it takes | default | meaning |", "|---|---|---|---|"]
        for setting in group:
            field = setting.field
            cells = (
                setting.key,
                takes(field),
                f"`{_as_yaml(field.default)}`",
                str(field.description),
            )
            row = [cell.replace("|", r"\|") for cell in cells]
            lines.append(f"| {' | '.join(row)} |")
        lines.append("")
    return "\n".join(lines)


def _sections(model: Any = PipelineConfig, prefix: str = "") -> Iterator[str]:
    """Names of the sections, and at the top level those of single settings."""
    for name, field in model.model_fields.items():
        if section := section_of(field):
            yield prefix + name
            yield from _sections(section, f"{prefix}{name}.")
        elif not prefix:
            yield name


def _meaning_of(section: str) -> str:
    field = field_at(section.split("."), PipelineConfig)
    model = section_of(field) if field else None
    return (inspect.getdoc(model) or "").partition("\n")[0]


def _sets(values: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def _shown(value: Any) -> str:
    """A value as `--set` takes it."""
    is_plain_text = isinstance(value, str) and value.strip() and value.isprintable()
    return value if is_plain_text else _as_yaml(value)


def _as_yaml(value: Any) -> str:
    """A value as a file takes it, in one line; sections in a list, and several sources, as well."""
    if isinstance(value, tuple):
        value = [one.model_dump() if hasattr(one, "model_dump") else one for one in value]
    if isinstance(value, str) and "\n" in value:
        value = value.split("\n")
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
