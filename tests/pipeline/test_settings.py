"""`dcgan settings` and the page of all settings."""

import re
import subprocess
import sys

import pytest

from pipeline import cli
from pipeline.config import PipelineConfig, load_config
from pipeline.fields import all_settings
from pipeline.settings import PAGE, page

SETTINGS = list(all_settings(PipelineConfig))
KEYS = [setting.key for setting in SETTINGS]


@pytest.fixture
def listed(monkeypatch, capsys):
    """Run `dcgan settings` at 80 columns; gives its lines, or the one of its error."""

    def listed(*arguments, code=0):
        capsys.readouterr()
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "argv", ["dcgan", "settings", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert (ended.value.code or 0) == code, (out, err)
        return (err if code else out).splitlines()

    return listed


def heads(lines):
    """The line of each key, by its key: mark, value and origin."""
    found = (re.fullmatch(r"([* ]) (\S+) = (.*?)(?:  +(.*))?", line) for line in lines)
    return {match[2]: (match[1], match[3], match[4]) for match in found if match}


def test_each_setting_says_what_it_means():
    assert [setting.key for setting in SETTINGS if not setting.field.description] == []


def test_all_are_listed_at_80_columns_in_their_order(listed):
    lines = listed()
    assert list(heads(lines)) == KEYS
    assert "cluster.train.memory" in KEYS
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    "section", ["ingest", "transform", "train", "evaluate", "export", "cluster", "cluster.train",
                "images", "train.epochs"]
)  # fmt: skip
def test_a_section_is_listed_with_those_in_it(listed, section):
    wanted = [key for key in KEYS if key == section or key.startswith(f"{section}.")]
    assert list(heads(listed(section))) == wanted


@pytest.mark.parametrize("section", ["trian", "", "tra", "train.", "cluster.tpu"])
def test_unknown_section_names_those_that_are_there(listed, section):
    (line,) = listed(section, code=2)
    assert line == (
        f"error: no section {section!r}: choose one of images, paranoid, ingest, transform, train, "
        "evaluate, export, cluster, cluster.ingest, cluster.transform, cluster.train, "
        "cluster.evaluate, cluster.export"
    )


def test_each_value_says_where_it_comes_from(listed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.yaml"
    file.write_text("train: {epochs: 7, dropout: 0.3}\ncluster: {train: {memory: 32Gi}}\n")
    options = ("--profile", "full", "--config", "mine.yaml", "--set", "train.batch_size=8")
    found = heads(listed(*options))
    assert found["train.epochs"] == ("*", "7", "file mine.yaml")
    assert found["train.dropout"] == (" ", "0.3", "file mine.yaml")
    assert found["train.batch_size"] == ("*", "8", "--set")
    assert found["train.palette"] == ("*", "8", "profile full")
    assert found["train.snapshots_kept"] == (" ", "8", "profile full")
    assert found["train.loss"] == (" ", "non_saturating", "default")
    assert found["transform.min_images"] == ("*", "16", "made from other settings")
    assert found["cluster.train.memory"] == ("*", "32Gi", "file mine.yaml")
    assert found["cluster.train.cpu"] == (" ", "4", "default")


def test_the_profile_is_that_of_a_run(listed):
    assert heads(listed("train.minutes")) == {"train.minutes": ("*", "4.5", "profile demo")}


def test_a_listed_value_sets_what_it_says(listed):
    options = ("--set", "cluster.train.tolerations=[{key: gpu}]", "--set", "train.warm_start=base")
    overrides = [f"{key}={value}" for key, (_, value, _) in heads(listed(*options)).items()]
    assert load_config(overrides=overrides) == load_config("demo", overrides=options[1::2])


def test_meaning_range_and_default_are_below_the_key(listed):
    assert listed("train.dropout")[3:6] == [
        f"* train.dropout = 0.0{'profile demo':>59}",
        "    Dropped share, discriminator only.",
        "    a number, ≥ 0, < 1; default 0.3",
    ]


def test_a_value_too_long_for_the_line_leaves_its_origin_a_line(listed):
    lines = listed("export.attribution", "--set", f"export.attribution={'by Me [sic]' * 9}")
    (index,) = (index for index, line in enumerate(lines) if line.startswith("* export"))
    assert lines[index] == f"* export.attribution = {'by Me [sic]' * 9}"
    assert lines[index + 1].split() == ["--set"]


def test_a_wrong_setting_is_refused_as_by_a_run(listed):
    (line,) = listed("train", "--set", "train.epoch=3", code=2)
    assert line == "error: train.epoch: no such key; did you mean train.epochs?"


def test_nothing_heavy_is_imported_to_list_them():
    code = (
        "import sys; from pipeline.settings import choices, page\n"
        "page(), choices(None, 'demo', None, ())\n"
        "print(*{'tensorflow', 'apache_beam', 'kfp', 'keras', 'numpy'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_page_is_made_from_these_settings():
    assert PAGE.read_text() == page(), "run `make docs`"
    rows = re.findall(r"^\| (\S+) \| .+ \| `.*` \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == KEYS
