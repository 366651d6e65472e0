"""Publishing to buckets on real servers, by real processes, some of them killed."""

from datetime import timedelta

import pytest

from components.export import in_bucket
from components.export.publish import roll_back
from components.shared.contracts import DISCRIMINATOR, GENERATOR, MODEL_INFO
from components.shared.errors import NotBlessed, PipelineError, UsageError
from components.shared.published import champion_in, versions_in
from tests.components.export.judged import publish
from tests.components.export.places import names_in, read, write

# Publishes argv[1] to argv[2] after the champion argv[3]; is killed after argv[4] writes.
PUBLISH = """
import os, signal, sys
from pathlib import Path
from components.shared.buckets import client_for
from tests.components.export.judged import publish
client, left = client_for(sys.argv[2]), int(sys.argv[4])
def counted(method):
    def call(*arguments, **options):
        global left
        result = method(*arguments, **options)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call
for name in ("pipe_file", "put_file", "rm_file"):
    setattr(client, name, counted(getattr(client, name)))
print(publish(Path(sys.argv[1]), sys.argv[2], sys.argv[3] or None, versions_kept=2))
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
FILES = [
    "dcgan.gif", "dcgan.webp", DISCRIMINATOR, GENERATOR, "latent_walk.gif", MODEL_INFO,
    "variables/variables.index",
]  # fmt: skip


@pytest.fixture
def root(bucket):
    return f"{bucket.address}/some/models"


@pytest.fixture
def start(start_python):
    """Start publishing in a new process."""

    def start(model, root, champion="", kill_after=0):
        return start_python(PUBLISH, model, root, champion, kill_after)

    return start


@pytest.fixture
def an_hour_passes(monkeypatch):
    return lambda: monkeypatch.setattr(in_bucket, "_CLAIM_LIVES", timedelta(0))


def numbers(root):
    """What begins with a number, and what is claimed."""
    names = [name.split("/") for name in names_in(f"{root}/faces")]
    return {name[0] for name in names if name[0] != ".claims"}, {
        name[1] for name in names if name[0] == ".claims"
    }


def assert_whole(root, version, digest):
    address = f"{root}/faces/{version}"
    assert names_in(address) == sorted([*FILES, "saved_model.pb"])
    for name in names_in(address):
        assert digest.encode() in read(f"{address}/{name}"), name


def test_each_model_is_the_next_version_with_a_claim(make_model, tmp_path, root):
    assert champion_in(f"{root}/faces") is None
    old, new = make_model(tmp_path / "a", "aaa"), make_model(tmp_path / "b", "bbb")
    data = tmp_path / "data.json"
    data.write_text("what aaa learned from")
    assert publish(old, root, beside={"data.json": data}) == f"{root}/faces/1"
    assert read(f"{root}/faces/1/data.json") == b"what aaa learned from"
    assert publish(new, f"{root}/", "aaa") == f"{root}/faces/2"
    assert_whole(root, 2, "bbb")
    assert champion_in(f"{root}/faces") == (f"{root}/faces/2", 2, "bbb", ())
    assert numbers(root) == ({"1", "2"}, {"1", "2"})


def test_the_same_model_twice_is_one_version(make_model, tmp_path, root):
    model = make_model(tmp_path / "a", "aaa")
    assert publish(model, root) == publish(model, root)
    assert numbers(root) == ({"1"}, {"1"})


def test_what_is_not_to_be_published_leaves_nothing(make_model, tmp_path, root):
    with pytest.raises(NotBlessed, match="not blessed"):
        publish(make_model(tmp_path / "bad", "bad"), root, blessed=False)
    assert names_in(root) == []
    publish(make_model(tmp_path / "a", "aaa"), root)
    publish(make_model(tmp_path / "b", "bbb"), root, "aaa")
    before = names_in(root)
    with pytest.raises(PipelineError, match=r"faces/2 is what is published now.*same command"):
        publish(make_model(tmp_path / "c", "ccc"), root, "aaa")
    roll_back(root, "faces")
    with pytest.raises(NotBlessed, match="this very model was withdrawn"):
        publish(tmp_path / "b", root, "aaa")
    assert {*numbers(root)[0]} == {"1", "2", "3"} == numbers(root)[1]
    assert set(before) < set(names_in(root))


def test_a_bucket_that_is_not_there_is_one_sentence(make_model, tmp_path, bucket):
    root = f"{bucket.address}-not-there/models"
    with pytest.raises(UsageError, match=r"cannot publish to \S+not-there/models/faces \("):
        publish(make_model(tmp_path / "a", "aaa"), root)
    with pytest.raises(UsageError, match=r"cannot see what is published in \S+/models/faces \("):
        champion_in(f"{root}/faces")


@pytest.mark.parametrize("kept", [1, 3])
def test_only_the_newest_versions_stay_with_their_claims(make_model, tmp_path, root, kept):
    write(f"{root}/faces/1/saved_model.pb", b"of other making")
    before = None
    for number in range(4):
        digest = f"digest {number}"
        model = make_model(tmp_path / digest, digest)
        publish(model, root, before, versions_kept=kept)
        before = digest
    left = {str(5 - age) for age in range(kept)}
    assert numbers(root) == ({"1", *left}, left)
    assert_whole(root, 5, "digest 3")


class TestTwoAtOnce:
    def test_one_is_published_whole_and_the_others_refused(self, make_model, tmp_path, root, start):
        publish(make_model(tmp_path / "old", "old"), root)
        digests = ["aaa", "bbb", "ccc", "ddd"]
        processes = [start(make_model(tmp_path / one, one), root, "old") for one in digests]
        published = []
        for digest, process in zip(digests, processes, strict=True):
            _, errors = process.communicate()
            if process.returncode == 0:
                published.append(digest)
            else:
                assert "give the same command again" in errors, errors
        assert len(published) == 1
        assert_whole(root, 2, published[0])
        assert numbers(root) == ({"1", "2"}, {"1", "2"})

    @pytest.fixture
    def after_the_first_look(self, monkeypatch):
        """Do something between a publish's first look and its claim."""

        def after_the_first_look(do):
            look, looked = in_bucket.BucketHome._content, []

            def look_too_early(self):
                content = look(self)
                if not looked:
                    looked.append(content)
                    do()
                return content

            monkeypatch.setattr(in_bucket.BucketHome, "_content", look_too_early)

        return after_the_first_look

    def test_a_number_that_another_has_claimed_meanwhile_is_not_written(
        self, make_model, tmp_path, root, after_the_first_look
    ):
        """Both looked before either claimed: the bucket lets one alone make the claim."""
        after_the_first_look(lambda: publish(make_model(tmp_path / "b", "bbb"), root))
        with pytest.raises(PipelineError, match=r"another publish .* is under way, of version 1"):
            publish(make_model(tmp_path / "a", "aaa"), root)
        assert_whole(root, 1, "bbb")

    def test_a_number_that_was_free_again_by_the_time_it_was_claimed(
        self, make_model, tmp_path, root, after_the_first_look
    ):
        """Its look was so long ago that what took the number has been removed since."""

        def come_and_go():
            publish(make_model(tmp_path / "b", "bbb"), root, versions_kept=1)
            publish(make_model(tmp_path / "c", "ccc"), root, "bbb", versions_kept=1)

        after_the_first_look(come_and_go)
        with pytest.raises(PipelineError, match=r"another publish .* is under way, of version 2"):
            publish(make_model(tmp_path / "a", "aaa"), root)
        assert numbers(root) == ({"2"}, {"2"})


class TestTrouble:
    def test_a_client_that_asks_twice_takes_no_claim_of_its_own_for_anothers(
        self, make_model, tmp_path, root, monkeypatch
    ):
        """It does so where it heard no answer to the first."""
        client = in_bucket.BucketHome(root)._client
        create = client.pipe_file

        def create_twice(*arguments, **options):
            create(*arguments, **options)
            create(*arguments, **options)

        monkeypatch.setattr(client, "pipe_file", create_twice)
        assert publish(make_model(tmp_path / "a", "aaa"), root) == f"{root}/faces/1"

    def test_a_server_that_words_it_differently_that_another_was_quicker(
        self, make_model, tmp_path, root, monkeypatch
    ):
        client = in_bucket.BucketHome(root)._client
        create = client.pipe_file

        def refuse(address, content, mode):
            create(address, b"another's", mode=mode)
            raise OSError("conflicting conditional operation")

        monkeypatch.setattr(client, "pipe_file", refuse)
        with pytest.raises(PipelineError, match=r"another publish .* is under way, of version 1"):
            publish(make_model(tmp_path / "a", "aaa"), root)

    def test_another_that_was_quicker_and_gave_up_at_once(
        self, make_model, tmp_path, root, monkeypatch
    ):
        client = in_bucket.BucketHome(root)._client
        create = client.pipe_file

        def come_too_late(address, content, mode):
            create(address, b"another's", mode=mode)
            try:
                create(address, content, mode=mode)
            finally:
                client.rm_file(address)

        monkeypatch.setattr(client, "pipe_file", come_too_late)
        with pytest.raises(PipelineError, match=r"another publish .* is under way, of version 1"):
            publish(make_model(tmp_path / "a", "aaa"), root)

    @pytest.mark.parametrize("kill_after", range(1, 12))
    def test_killed_at_any_point(
        self, make_model, tmp_path, root, start, an_hour_passes, kill_after
    ):
        """The writes: a claim, seven files, the last file, then what removes version 1."""
        publish(make_model(tmp_path / "a", "aaa"), root)
        publish(make_model(tmp_path / "b", "bbb"), root, "aaa")
        model = make_model(tmp_path / "c", "ccc")
        process = start(model, root, "bbb", kill_after)
        process.communicate()
        assert process.returncode == -9

        served = champion_in(f"{root}/faces")
        for version in versions_in(f"{root}/faces"):
            assert_whole(root, version, {1: "aaa", 2: "bbb", 3: "ccc"}[version])
        if kill_after < 9:
            assert served.digest == "bbb"
            left = names_in(f"{root}/faces/3")
            assert (len(left), "saved_model.pb" in left) == (kill_after - 1, False)
            with pytest.raises(PipelineError, match=r"under way, of version 3, or was stopped"):
                publish(model, root, "bbb")
            an_hour_passes()
            assert publish(model, root, "bbb", versions_kept=2) == f"{root}/faces/4"
            assert_whole(root, 4, "ccc")
            assert numbers(root) == ({"2", "4"}, {"2", "4"})
        else:
            assert served.digest == "ccc"
            newest = make_model(tmp_path / "d", "ddd")
            assert publish(newest, root, "ccc", versions_kept=2) == f"{root}/faces/4"
            assert numbers(root) == ({"3", "4"}, {"3", "4"})

    @pytest.mark.parametrize("uploads", range(8))
    def test_a_failure_half_way_leaves_nothing(
        self, make_model, tmp_path, root, monkeypatch, uploads
    ):
        publish(make_model(tmp_path / "a", "aaa"), root)
        before, home = names_in(root), in_bucket.BucketHome(root)
        put, done = home._client.put_file, []

        def fail(*arguments):
            if len(done) == uploads:
                raise OSError("connection reset")
            done.append(put(*arguments))

        monkeypatch.setattr(home._client, "put_file", fail)
        with pytest.raises(UsageError, match=r"cannot publish to \S+/faces \(connection reset\)"):
            publish(make_model(tmp_path / "b", "bbb"), root, "aaa")
        assert names_in(root) == before

    def test_an_upload_that_took_too_long_leaves_its_rest_to_others(
        self, make_model, tmp_path, root, monkeypatch
    ):
        """By now another publish may have taken its claim for dead."""
        monkeypatch.setattr(in_bucket, "_TIME_TO_WRITE", timedelta(0))
        with pytest.raises(PipelineError, match="version 1 took longer to upload"):
            publish(make_model(tmp_path / "a", "aaa"), root)
        assert numbers(root) == (set(), {"1"})
        assert versions_in(f"{root}/faces") == []
