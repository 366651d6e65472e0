"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

Images = Annotated[
    str | None, typer.Option("--images", help="Folder, .zip or .tar of pictures.", metavar="SOURCE")
]
Profile = Annotated[
    str, typer.Option("--profile", help="Named settings: demo, seed or full.", metavar="NAME")
]
Config = Annotated[
    Path | None, typer.Option("--config", help="YAML file over the profile.", metavar="FILE")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting over both.", metavar="SECTION.KEY=VALUE"),
]
