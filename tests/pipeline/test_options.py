"""Paths as people type them, and the endings of files that are written."""

import sys
from pathlib import Path

import pytest
import typer

from pipeline import cli
from pipeline.options import read_path


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd):
    """Run `dcgan` where a home holds a file and a run of none; gives the line that it ends with."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/file").touch()
    (tmp_path / "home/bad.yaml").write_text("[")
    for name in ("KFP_ENDPOINT", "KFP_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def refused(*arguments):
        monkeypatch.setattr(sys, "argv", ["dcgan", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        error = capfd.readouterr().err.splitlines()[-1]
        assert ended.value.code == 2, error
        return error

    return refused


IMAGES = ("--images", "/dcgan/x", "--set", "cluster.registry=r.io")


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (("run", "--images=~/nothing"), "nothing"),
        (("run", "--images=@~/nothing"), "nothing"),
        (("run", "--config=~/bad.yaml"), "bad.yaml"),
        (("run", "--runs-dir=~/file"), "file"),
        (("run", "--publish-root=~/file"), "file"),
        (("run", "--set", "train.warm_start=~/nothing"), "nothing"),
        (("run", "--dry-run", "--runs-dir=~/file"), "file"),
        (("sample", "--model=~/nothing"), "nothing"),
        (("sample", "--out=~/x.pdf"), "x.pdf"),
        (("settings", "--config=~/bad.yaml"), "bad.yaml"),
        (("inspect", "~/nothing"), "nothing"),
        (("compare", "~/nothing", "~/file"), "nothing"),
        (("compare", "a", "b", "--out=~/x.pdf"), "x.pdf"),
        (("publish", "--rollback", "--publish-root=~/nothing"), "nothing"),
        (("compile", "--output=~/x.json", *IMAGES), "x.json"),
        (("compile", "--output=~/file/x.yaml", *IMAGES), "file/x.yaml"),
        (("submit", "--fetch=~/file", *IMAGES), "file"),
        (("schedule", "apply", "--file=~/bad.yaml"), "bad.yaml"),
        (("runs", "list", "--config=~/bad.yaml"), "bad.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_home_is_meant_by_its_sign_in_every_option(refused, tmp_path, arguments, place):
    assert f"{tmp_path}/home/{place}" in refused(*arguments)


def paths_of(command, name=""):
    """Each option and argument of a command, and of those below it, that is a file or folder."""
    for parameter in command.params:
        kind = parameter.type_descriptor
        if kind.annotation is Path or parameter.metavar in {"FILE", "DIR"}:
            yield f"{name} {parameter.opts[0]}", kind.parameter_info.parser
    for below, found in getattr(command, "commands", {}).items():
        yield from paths_of(found, f"{name} {below}".strip())


def test_every_option_of_a_path_is_read_as_one():
    """But publish roots, which may be addresses."""
    found = dict(paths_of(typer.main.get_command(cli.app)))
    assert len(found) > 15
    plain = {name for name, kind in found.items() if kind is not read_path}
    assert plain == {"run --publish-root", "publish --publish-root"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sample", "--out", "x.tif"), "--out x.tif: is not written as .tif; end it in .png or"),
        (("compare", "a", "b", "--out", "x.PDF"), "not written as .PDF; end it in .html or .htm"),
        (("compile", "-o", "x.json", *IMAGES), "not written as .json; end it in .yaml or .yml"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_a_name_that_promises_another_kind_of_file_is_refused(refused, tmp_path, arguments, told):
    assert told in refused(*arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def flags_of(command):
    for child in getattr(command, "commands", {}).values():
        yield from flags_of(child)
    yield from (option for option in command.params if getattr(option, "is_flag", False))


def test_help_shows_no_value_where_none_is_taken():
    flags = [*flags_of(typer.main.get_command(cli.app))]
    assert {"--open", "--wait", "--follow"} <= {name for flag in flags for name in flag.opts}
    assert not [flag.opts for flag in flags if flag.metavar != "" and flag.name != "help"]
