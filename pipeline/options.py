"""Options that several commands have."""

import os
from pathlib import Path
from typing import Annotated

import typer

from components.shared.errors import UsageError


def read_path(text: str) -> Path:
    """A path as typed, whose ~ a shell leaves alone in `--out=~/x` and in quotes."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  (Path's raises for an unknown user)


def check_ending(option: str, path: Path, *endings: str) -> None:
    """Refuse a name whose ending promises another kind of file than is written."""
    if path.suffix.lower() not in {"", *endings}:
        raise UsageError(
            f"{option} {path}: is not written as {path.suffix}; end it in {' or '.join(endings)}"
        )


Images = Annotated[
    list[str] | None,
    typer.Option(
        "--images",
        help="Pictures: folder, archive, pattern, @list, gs://… or s3://…; may be repeated.",
        metavar="SOURCE",
    ),
]
Paranoid = Annotated[
    bool, typer.Option("--paranoid", help="Read each local file anew to see whether it changed.")
]
Profile = Annotated[
    str, typer.Option("--profile", help="Named settings: demo, seed or full.", metavar="NAME")
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file over the profile.", metavar="FILE", parser=read_path),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting over both.", metavar="SECTION.KEY=VALUE"),
]
RUNS = Path("runs")
RunsDir = Annotated[Path, typer.Option(help="Parent of all runs.", metavar="DIR", parser=read_path)]
PublishRoot = Annotated[
    str | None,
    typer.Option(
        help="Where blessed models go: folder, gs://… or s3://….",
        metavar="DIR",
        show_default="published in the runs' folder",
    ),
]
RequireBlessed = Annotated[
    bool, typer.Option("--require-blessed", help="End with 5 unless the model is blessed.")
]
