"""Options that several commands have."""

import itertools
import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from components.shared.errors import UsageError


class TakesPictures(TyperCommand):
    """A command with `--images`, which tells of a pattern that the shell has expanded."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raise UsageError where several paths follow `--images`."""
        for place, argument in enumerate(args):
            name, is_joined, _ = argument.partition("=")
            after = args[place + (1 if is_joined else 2) :]
            more = [*itertools.takewhile(os.path.lexists, after)]
            if name == "--images" and more:
                raise UsageError(
                    f"--images takes one source, and {len(more):,} more came with it, such as "
                    f"{more[0]}: put a pattern in quotes, '*.png', or give --images before each"
                )
        return super().parse_args(ctx, args)


def read_path(text: str) -> Path:
    """A path as typed, whose ~ a shell leaves alone in `--out=~/x` and in quotes."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  (Path's raises for an unknown user)


def check_ending(option: str, path: Path, *endings: str) -> None:
    """Refuse a name whose ending promises another kind of file than is written."""
    if path.suffix.lower() not in {"", *endings}:
        raise UsageError(
            f"{option} {path}: is not written as {path.suffix}; end it in {' or '.join(endings)}"
        )


def flag(*names: str, help: str) -> Any:
    """An option without a value; typer's help would show it with `<bool>`."""
    return typer.Option(*names, help=help, metavar="")


Images = Annotated[
    list[str] | None,
    typer.Option(
        "--images",
        help="Pictures: folder, archive, pattern, @list, gs://… or s3://…; may be repeated.",
        metavar="SOURCE",
    ),
]
Paranoid = Annotated[
    bool, flag("--paranoid", help="Read each local file anew to see whether it changed.")
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
    bool, flag("--require-blessed", help="End with 5 unless the model is blessed.")
]
