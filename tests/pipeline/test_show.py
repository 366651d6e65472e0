"""What a person sees of a run, within 80 columns."""

import pytest
from rich.text import Text

from components.shared.files import write_json
from pipeline.show import plain, task_line
from tests.pipeline.test_cli import dcgan

RUN = {
    "images": "/data/faces",
    "counts": {"train": 900, "eval": 100, "rejected": 3, "duplicate": 2},
    "drift": "the same pictures as version 1's",
    "training": {"epochs": 50, "images_seen": 45_000},
    "best": {"epoch": 49, "kid": 0.1234},
    "floor": {"kid": -0.0012},
    "standing": "KID 0.123 ± 0.008: worse than real pictures blurred by 1 px (0.088), 11 real "
    "pictures repeated (0.012) and real pictures (-0.001)",
    "blessed": False,
    "blessed_reason": "KID 0.1234 is not below the 0.1235 of version 1 by more than chance (0.06)",
    "tasks": {"train": {"work": 300.0, "imports": 6.0}},
    "total_seconds": 330.0,
    "publish_root": "/data/published",
}


@pytest.fixture
def inspect(tmp_path):
    """Run `dcgan inspect` on a run whose run.json holds this."""

    def inspect(values, name="run", code=0):
        (tmp_path / name).mkdir(parents=True)
        write_json(tmp_path / name / "run.json", values)
        return dcgan("inspect", name, cwd=tmp_path, code=code)

    return inspect


def test_a_run_fits_80_columns(inspect):
    said = inspect(RUN)
    assert max(map(len, said.splitlines())) <= 80
    assert said.splitlines()[1].startswith("KID 0.123 ± 0.008: worse than real pictures blurred")
    assert "KID 0.123 at epoch 49, floor -0.001" in said
    assert "compare            –  unchanged; not blessed: KID 0.1234 is not below the " in said
    assert "publish            –  nothing; the model stays in this run's folder" in said
    assert "report    run/report.html" in said


def test_a_path_wider_than_that_stays_whole(inspect):
    name = "a folder/" * 10 + "of a run"
    assert f"report    {name}/report.html\n" in inspect(RUN, name)


@pytest.mark.parametrize("values", [{}, [], {"counts": 3}])
def test_one_too_old_to_be_shown_is_one_line(inspect, values):
    said = inspect(values, code=2)
    assert "run was made by an older version: its run.json has no images; run it again" in said


def test_a_line_wider_than_the_terminal_goes_on_below_itself():
    message = "blessed: KID 0.5387 is below the [0.6066] of /a/path/" + 60 * "x"
    shown = Text.from_markup(task_line("compare", message, 40)).plain.splitlines()
    assert shown[:2] == ["    compare blessed: KID 0.5387 is below", "            the [0.6066] of"]
    assert shown[2:] == ["            /a/path/" + 60 * "x"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a[bold]b", "a\\[bold]b"), ("a\x1b[31mb\x07", "a[31mb"), ("a\nb", "a\nb"), ("", "–")],
)
def test_text_of_others_gives_a_terminal_no_command(text, shown):
    assert plain(text) == shown
