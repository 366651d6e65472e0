import errno

import pytest

from components.shared.files import complete_or_absent, write_json


def test_folder_appears_only_when_complete(tmp_path):
    target = tmp_path / "records"
    with complete_or_absent(target) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"


def test_failure_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), complete_or_absent(tmp_path / "records") as folder:
        (folder / "a").write_text("1")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_retried_step_replaces_what_an_earlier_attempt_left(tmp_path):
    for content in ("old", "new"):
        with complete_or_absent(tmp_path / "records") as folder:
            (folder / content).write_text(content)
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["new"]


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "scores.json"
    write_json(path, {"kid": 1})

    def full_disk(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"kid": 2})
    assert path.read_text() == '{\n  "kid": 1\n}\n'
    assert [found.name for found in tmp_path.iterdir()] == ["scores.json"]


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "scores.json", {"kid": float("nan")})
