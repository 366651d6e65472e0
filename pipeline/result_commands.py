"""Commands on what runs have made: pictures of a model, what a run did, what is published."""

import functools
from pathlib import Path
from typing import Annotated

import typer

from components.shared.contracts import MODEL_NAME, MOST_PICTURES
from components.shared.errors import UsageError
from pipeline import library, show, terminal
from pipeline.options import RUNS, PublishRoot, check_ending, flag, read_path
from pipeline.results import read_run

_console = terminal.Terminal()


def sample(
    model: Annotated[
        str | None,
        typer.Option(
            help="A run, a published model or version, in a bucket, too, or a .keras file.",
            metavar="PATH",
            show_default="runs/latest",
        ),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="Instead: a model that TensorFlow Serving serves, http://…/v1/models/NAME.",
            metavar="URL",
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(help="Pictures to draw; of each class.", min=1, max=MOST_PICTURES)
    ] = 16,
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class",
            help="Of a model with classes: draw this one, or, '', those of the training's shares.",
            metavar="NAME",
            show_default="a row of each",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="The same seed draws the same.", min=0, max=2**31 - 1)
    ] = 0,
    truncation: Annotated[
        float, typer.Option(help="0 to 1; less is more typical and less varied.")
    ] = 1.0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="One picture of all, as a grid: .png, .jpg or .webp.",
            metavar="FILE",
            show_default="samples.png",
            parser=read_path,
        ),
    ] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(
            help="Instead: each as a file, sample-0000.png, ….", metavar="DIR", parser=read_path
        ),
    ] = None,
) -> None:
    """Draw pictures from a trained generator, on this machine or where it is served."""
    from pipeline import sampling

    if out is not None and out_dir is not None:
        raise UsageError("--out makes one file, --out-dir one for each picture: give one of them")
    if out is not None:
        check_ending("--out", out, *sampling.FORMATS)
    library.check_numbers(count, seed, truncation)
    with library.open_generator(model, endpoint) as generator:
        chosen = sampling.choose(generator, count, class_name)
        columns = count if chosen.numbers else None  # a row a class
        draw = functools.partial(
            sampling.draw, generator, seed=seed, truncation=truncation, classes=chosen.classes
        )
        if out is not None:
            draw_one = functools.partial(draw, 1)
            sampling.check_grid(out, count * len(chosen.classes), draw_one, columns)
        pictures = draw(count)
    if out_dir is not None:
        sampling.save_each(pictures, out_dir, chosen.numbers)
    else:
        out = out or Path("samples.png")
        sampling.save_grid(pictures, out, columns)
    _console.say(show.plain(f"{len(pictures)} samples, seed {seed}: {out_dir or out}"))
    if chosen.said:
        _console.say(show.plain(chosen.said))


def inspect(
    run: Annotated[
        Path, typer.Argument(help="A run, e.g. runs/latest.", metavar="RUN", parser=read_path)
    ],
) -> None:
    """Show what a finished run did, its scores and where its files are."""
    _console.print(show.run_table(read_run(run, show.NEEDED)))


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="At least two runs.", metavar="RUN", parser=read_path)
    ],
    out: Annotated[
        Path, typer.Option(help="Page to write.", metavar="FILE", parser=read_path)
    ] = Path("comparison.html"),
) -> None:
    """Show runs side by side, as one page: scores, pictures, settings that differ."""
    from pipeline.side_by_side import write_side_by_side

    check_ending("--out", out, ".html", ".htm")
    if warning := write_side_by_side(runs, out):
        _console.say(f"[yellow]beware:[/] {warning}")
    _console.say(f"{len(runs)} runs side by side: {show.plain(str(out))}")


def publish(
    rollback: Annotated[
        bool, flag("--rollback", help="Serve the version before, withdraw the newest.")
    ] = False,
    publish_root: PublishRoot = None,
    name: Annotated[
        str, typer.Option(help="Of the model, export.model_name.", metavar="NAME")
    ] = MODEL_NAME,
) -> None:
    """Go back to the published version before; what was withdrawn is not published again."""
    from components.export.publish import roll_back

    if not rollback:
        raise UsageError("dcgan publish only goes back: add --rollback; `dcgan run` publishes")
    root = library.publish_root_of(publish_root, RUNS.absolute())
    done = roll_back(root, name)
    _console.say(
        f"{show.plain(f'{root}/{name}')}:\n"
        f"version {done.version} is served now, a copy of version {done.copied}\n"
        f"version {done.withdrawn} is withdrawn, and no run publishes it again"
    )
