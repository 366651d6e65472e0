from pathlib import Path

import pytest

from components.shared.errors import NotBlessed, PipelineError, UsageError
from tests.components.export.judged import publish
from tests.components.export.places import assert_whole, leftovers, versions


def test_the_first_publish_is_version_1(make_model, tmp_path):
    root = tmp_path / "not/there/yet"
    version = publish(make_model(tmp_path / "model", "aaa"), root)
    assert version == str(root / "faces/1")
    assert_whole(Path(version), "aaa")
    assert not leftovers(root)


def test_what_it_learned_from_is_published_with_it(make_model, tmp_path):
    data = tmp_path / "validation/data.json", tmp_path / "evaluation/real_features.npz"
    for path in data:
        path.parent.mkdir()
        path.write_text(f"{path.name} of aaa")
    version = Path(
        publish(
            make_model(tmp_path / "model", "aaa"),
            tmp_path / "root",
            beside={path.name: path for path in data},
        )
    )
    for path in data:
        assert (version / path.name).read_text() == path.read_text()


def test_without_what_it_learned_from_nothing_is_published(make_model, tmp_path):
    missing = {"data.json": tmp_path / "data.json"}
    with pytest.raises(UsageError, match=r"No such file or directory \(\S+/data\.json\)"):
        publish(make_model(tmp_path / "model", "aaa"), tmp_path / "root", beside=missing)
    assert not versions(tmp_path / "root")
    assert not leftovers(tmp_path / "root")


def test_the_same_model_twice_is_one_version(make_model, tmp_path, caplog):
    model, root = make_model(tmp_path / "model", "aaa"), tmp_path / "root"
    caplog.set_level("INFO", logger="dcgan.publish")
    assert publish(model, root) == publish(model, root)
    assert versions(root) == ["1"]
    assert caplog.messages[-1] == "faces is published already, as version 1"


def test_another_model_is_the_next_version(make_model, tmp_path):
    root = tmp_path / "root"
    publish(make_model(tmp_path / "a", "aaa"), root)
    assert publish(make_model(tmp_path / "b", "bbb"), root, "aaa") == str(root / "faces/2")
    assert_whole(root / "faces/1", "aaa")
    assert_whole(root / "faces/2", "bbb")


def test_going_back_to_an_older_model_is_a_new_version(make_model, tmp_path):
    """TensorFlow Serving serves the highest number: only the newest counts as there already."""
    root, old = tmp_path / "root", make_model(tmp_path / "a", "aaa")
    publish(old, root)
    publish(make_model(tmp_path / "b", "bbb"), root, "aaa")
    assert publish(old, root, "bbb") == str(root / "faces/3")


@pytest.mark.parametrize("champion", [None, "aaa"])
def test_one_that_this_model_was_not_compared_with_is_not_replaced(make_model, tmp_path, champion):
    """Another run published since: whether this model is better, nobody has looked at."""
    root = tmp_path / "root"
    publish(make_model(tmp_path / "a", "aaa"), root)
    publish(make_model(tmp_path / "b", "bbb"), root, "aaa")
    with pytest.raises(PipelineError, match=rf"{root}/faces/2 is what .*: give the same command"):
        publish(make_model(tmp_path / "c", "ccc"), root, champion)
    assert versions(root) == ["1", "2"]
    assert not leftovers(root)


def test_versions_are_numbers_not_names(make_model, tmp_path):
    home = tmp_path / "root/faces"
    for name in ("9", "10", "0012", "99x", "²"):
        (home / name).mkdir(parents=True)
    (home / "11").write_text("a file")
    assert publish(make_model(tmp_path / "a", "aaa"), tmp_path / "root") == str(home / "13")


@pytest.mark.parametrize("content", ["", "[]", "{}", '"x"', "not json"])
def test_a_newest_version_of_other_making_is_left_alone(make_model, tmp_path, content):
    (tmp_path / "root/faces/1").mkdir(parents=True)
    (tmp_path / "root/faces/1/model.json").write_text(content)
    publish(make_model(tmp_path / "a", "aaa"), tmp_path / "root")
    assert versions(tmp_path / "root") == ["1", "2"]
    assert (tmp_path / "root/faces/1/model.json").read_text() == content


def test_models_of_two_names_do_not_meet(make_model, tmp_path):
    root = tmp_path / "root"
    publish(make_model(tmp_path / "a", "aaa"), root)
    other = make_model(tmp_path / "b", "bbb", name="cats")
    assert publish(other, root) == str(root / "cats/1")


def test_not_blessed_is_refused_and_nothing_is_written(make_model, tmp_path):
    model = make_model(tmp_path / "model", "aaa")
    with pytest.raises(NotBlessed, match=r"faces is not published, not blessed: KID 0\.6 is above"):
        publish(model, tmp_path / "root", blessed=False)
    assert not (tmp_path / "root").exists()


def test_a_version_can_be_read_by_others(make_model, tmp_path):
    """TensorFlow Serving runs as another user; a folder from tempfile would be 0700."""
    version = Path(publish(make_model(tmp_path / "model", "aaa"), tmp_path / "root"))
    assert version.stat().st_mode & 0o777 == (tmp_path / "model").stat().st_mode & 0o777


@pytest.mark.parametrize(("kept", "left"), [(1, ["5"]), (3, ["3", "4", "5"]), (9, list("12345"))])
def test_only_the_newest_versions_stay(make_model, tmp_path, kept, left):
    root, before = tmp_path / "root", None
    for number in range(5):
        digest = str(number) * 3
        publish(make_model(tmp_path / digest, digest), root, before, versions_kept=kept)
        before = digest
    assert versions(root) == left
    assert not leftovers(root)
    assert_whole(root / "faces/5", "444")


def test_a_version_that_others_made_is_not_removed(make_model, tmp_path):
    (tmp_path / "root/faces/1").mkdir(parents=True)
    publish(make_model(tmp_path / "a", "aaa"), tmp_path / "root")
    publish(make_model(tmp_path / "b", "bbb"), tmp_path / "root", "aaa", versions_kept=1)
    assert versions(tmp_path / "root") == ["1", "3"]
