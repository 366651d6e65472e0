import pytest

from components.shared.errors import UsageError
from components.shared.files import write_json
from components.shared.published import champion_in, local_copy, refuse_unwritable, versions_in


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


@pytest.mark.parametrize(
    "content",
    [
        None, "", "[]", "{}", '"x"', "not json", "1", "null", '{"digest": null}', '{"digest": [1]}',
        '{"digest": "x", "withdrawn": null}', '{"digest": "x", "withdrawn": "y"}',
        '{"digest": "x", "withdrawn": [1]}', "[" * 100_000,
    ],
)  # fmt: skip
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


def test_in_a_bucket_a_version_counts_once_its_last_file_is_there(bucket):
    home = f"{bucket.address}/models/faces"
    assert versions_in(home) == []
    assert champion_in(home) is None
    for version in ("1", "2", "x3"):
        bucket.put(f"models/faces/{version}/model.json", f'{{"digest": "{version}"}}'.encode())
    bucket.put("models/faces/.claims/9", b"")
    bucket.put("models/faces2/7/saved_model.pb", b"")
    bucket.put("models/faces/8/deeper/saved_model.pb", b"")
    assert versions_in(home) == []
    for version in ("1", "x3"):
        bucket.put(f"models/faces/{version}/saved_model.pb", b"")
    assert champion_in(home) == (f"{home}/1", 1, "1", ())
    bucket.put("models/faces/10/saved_model.pb", b"of other making")
    assert sorted(versions_in(home)) == [1, 10]
    assert champion_in(home) is None


def test_a_bucket_that_can_be_written_is_left_as_it_was(bucket):
    refuse_unwritable(f"{bucket.address}/models/faces")
    assert bucket.client.find(bucket.address) == []


@pytest.mark.parametrize("overwrites", [True, False])  # as on Google's it may not without deleting
def test_where_objects_may_be_made_and_not_deleted_it_can_be_published(
    bucket, monkeypatch, overwrites
):
    home = f"{bucket.address}/models/faces"
    client = bucket.client  # which fsspec gives to all
    write = client.pipe_file

    def deny(*_, **__):
        raise PermissionError("AccessDenied")

    def write_once(path, value):
        if client.exists(path):
            deny()
        write(path, value)

    with monkeypatch.context() as patch:
        patch.setattr(client, "rm_file", deny)
        if not overwrites:
            patch.setattr(client, "pipe_file", write_once)
        for _ in range(3):
            refuse_unwritable(home)
    left = bucket.client.find(bucket.address)
    assert len(left) == (1 if overwrites else 3)
    assert left[0].endswith("/models/faces/.probe")
    assert champion_in(home) is None
    refuse_unwritable(home)
    assert len(bucket.client.find(bucket.address)) == len(left) - 1


@pytest.mark.parametrize("left", [False, True])  # a probe of one who had other rights
def test_where_no_object_may_be_made_it_is_refused(bucket, monkeypatch, left):
    def deny(*_, **__):
        raise PermissionError("AccessDenied")

    home = f"{bucket.address}/models/faces"
    if left:
        bucket.put("models/faces/.probe", b"")
    monkeypatch.setattr(bucket.client, "pipe_file", deny)
    with pytest.raises(UsageError, match=rf"^cannot publish to {home} \(AccessDenied\): check"):
        refuse_unwritable(home)


def test_a_published_file_is_a_local_one(home, put, bucket):
    put("1", "ours")
    with local_copy(f"{home}/1/model.json") as path:
        assert path == home / "1/model.json"
    bucket.put("faces/1/model.keras", b"content")
    with local_copy(f"{bucket.address}/faces/1/model.keras") as path:
        assert (path.name, path.read_bytes()) == ("model.keras", b"content")
    assert not path.exists()
    with local_copy(f"{bucket.address}/faces/1/nothing") as path:
        assert not path.exists()


def test_one_that_cannot_be_read_now_is_not_taken_for_none(home):
    """It may be the better one."""
    (home / "1" / "model.json").mkdir(parents=True)
    with pytest.raises(OSError, match=r"1/model\.json"):
        champion_in(home)
