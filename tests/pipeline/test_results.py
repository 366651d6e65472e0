"""The link to the newest run."""

import errno
import os

import pytest

from pipeline.results import LATEST, point_latest_at


@pytest.fixture
def folder(tmp_path):
    """A run's, beside an older one."""
    for name in ("older", "run"):
        (tmp_path / name).mkdir()
    return tmp_path / "run"


@pytest.mark.parametrize("before", [None, "older", "nowhere"])
def test_latest_leads_to_the_run(folder, before):
    link = folder.with_name(LATEST)
    if before:
        link.symlink_to(before)
    assert point_latest_at(folder, only_try=True) is None
    assert not before or link.readlink().name == before
    assert point_latest_at(folder) is None
    assert link.resolve() == folder
    assert {path.name for path in folder.parent.iterdir()} == {"older", "run", LATEST}


@pytest.mark.parametrize("make", ["mkdir", "touch"])
def test_what_is_no_link_stays_as_it_is(folder, make):
    latest = folder.with_name(LATEST)
    getattr(latest, make)()
    for only_try in (True, False):
        assert point_latest_at(folder, only_try=only_try) == "it is no link: rename or remove it"
    assert not latest.is_symlink()
    assert {path.name for path in folder.parent.iterdir()} == {"older", "run", LATEST}


def test_a_file_system_without_links_is_told(folder, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "symlink", refuse)
    for only_try in (True, False):
        told = point_latest_at(folder, only_try=only_try)
        assert told == "no link can be made there (Operation not supported)"
