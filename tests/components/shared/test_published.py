import pytest

from components.shared.files import write_json
from components.shared.published import champion_in, versions_in


@pytest.fixture
def home(tmp_path):
    return tmp_path / "root" / "faces"


@pytest.fixture
def put(home):
    def put(version, digest):
        (home / version).mkdir(parents=True)
        write_json(home / version / "model.json", {"digest": digest})

    return put


def test_without_a_folder_or_a_version_there_is_none(home):
    assert champion_in(home) is None
    assert versions_in(home) == []
    home.mkdir(parents=True)
    assert champion_in(home) is None


def test_the_highest_number_is_the_champion(home, put):
    for version in ("9", "10", "2", "11x", "²"):
        put(version, f"digest of {version}")
    assert champion_in(home) == (str(home / "10"), 10, "digest of 10", ())
    assert sorted(versions_in(home)) == [2, 9, 10]


def test_what_was_rolled_back_is_known(home, put):
    put("1", "ours")
    write_json(home / "1/model.json", {"digest": "ours", "withdrawn": ["a", "b"]})
    assert champion_in(home).withdrawn == ("a", "b")


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '"x"', "not json"])
def test_a_newest_version_of_other_making_is_none(home, put, content):
    put("1", "ours")
    (home / "2").mkdir()
    if content is not None:
        (home / "2" / "model.json").write_text(content)
    assert champion_in(home) is None


def test_a_file_is_no_version_of_ours(home, put):
    put("1", "ours")
    (home / "2").write_text("")
    assert champion_in(home) is None


def test_one_that_cannot_be_read_now_is_not_taken_for_none(home):
    """It may be the better one."""
    (home / "1" / "model.json").mkdir(parents=True)
    with pytest.raises(OSError, match=r"1/model\.json"):
        champion_in(home)
