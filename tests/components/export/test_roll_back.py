"""Going back to the version before."""

import pytest

from components.export.publish import roll_back
from components.shared.errors import NotBlessed, UsageError
from components.shared.published import champion_in
from tests.components.export.judged import publish
from tests.components.export.places import names_in, read, write


@pytest.fixture
def publish_all(make_model, tmp_path, root):
    """Publish models of these digests, each better than the one before."""

    def publish_all(*digests):
        for digest in digests:
            before = champion_in(f"{root}/faces")
            model = tmp_path / digest
            model = model if model.exists() else make_model(model, digest)
            publish(model, root, before.digest if before else None)

    return publish_all


def served(root):
    version = champion_in(f"{root}/faces")
    return version.version, version.digest, version.withdrawn


def files(version):
    return {name: read(f"{version}/{name}") for name in names_in(version)}


def test_the_version_before_is_served_again_and_the_newest_withdrawn(publish_all, root):
    publish_all("aaa", "bbb")
    assert roll_back(root, "faces") == (3, 1, 2)
    assert served(root) == (3, "aaa", ("bbb",))
    old, new = files(f"{root}/faces/1"), files(f"{root}/faces/3")
    assert old.keys() == new.keys()
    for name in old.keys() - {"model.json"}:
        assert old[name] == new[name]


def test_what_was_withdrawn_is_not_published_again_ever(publish_all, root):
    publish_all("aaa", "bbb")
    roll_back(root, "faces")
    refused = pytest.raises(NotBlessed, match=r"faces is not published: .* withdrawn from .*/faces")
    with refused:
        publish_all("bbb")
    publish_all("ccc")
    assert served(root) == (4, "ccc", ("bbb",))
    with refused:
        publish_all("bbb")
    publish_all("aaa")
    assert served(root) == (5, "aaa", ("bbb",))


def test_going_back_twice_goes_to_the_one_before_that(publish_all, root):
    publish_all("aaa", "bbb", "ccc")
    assert roll_back(root, "faces") == (4, 2, 3)
    assert roll_back(root, "faces") == (5, 1, 4)
    assert served(root) == (5, "aaa", ("ccc", "bbb"))
    with pytest.raises(UsageError, match=r"nothing to go back to .* version 5 is the only one"):
        roll_back(root, "faces")
    assert served(root) == (5, "aaa", ("ccc", "bbb"))


def test_one_version_leaves_nothing_to_go_back_to(publish_all, root):
    publish_all("aaa")
    with pytest.raises(UsageError, match=r"nothing to go back to in \S+/faces: version 1 is"):
        roll_back(root, "faces")
    assert served(root) == (1, "aaa", ())


def test_of_nothing_published_nothing_is_made(root):
    with pytest.raises(UsageError, match=r"nothing is published in \S+/faces"):
        roll_back(root, "faces")
    assert names_in(root) == []


def test_what_others_made_is_neither_left_nor_gone_back_to(publish_all, root):
    write(f"{root}/faces/1/saved_model.pb", b"theirs")
    publish_all("aaa")
    with pytest.raises(UsageError, match="nothing to go back to"):
        roll_back(root, "faces")
    write(f"{root}/faces/3/saved_model.pb", b"theirs")
    with pytest.raises(UsageError, match=r"version 3 in .*faces was not made by this pipeline"):
        roll_back(root, "faces")
