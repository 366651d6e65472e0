"""`dcgan publish --rollback` as a person types it."""

import pytest

from components.shared.buckets import names_below
from components.shared.contracts import MODEL_INFO
from components.shared.errors import UsageError
from components.shared.files import read_json, write_json
from pipeline.config import load_config
from pipeline.preflight import check
from tests.pipeline.test_cli import dcgan


@pytest.fixture
def home(tmp_path):
    """Two versions where `dcgan run` would have put them."""
    home = tmp_path / "runs/published/dcgan"
    for version, digest in (("1", "old"), ("2", "new")):
        (home / version).mkdir(parents=True)
        write_json(home / version / MODEL_INFO, {"digest": digest})
    return home


def test_it_says_what_is_served_now_and_what_was_withdrawn(home, tmp_path):
    said = dcgan("publish", "--rollback", cwd=tmp_path)
    assert said == (
        f"{home}:\nversion 3 is served now, a copy of version 1\n"
        "version 2 is withdrawn, and no run publishes it again\n"
    )
    assert read_json(home / "3" / MODEL_INFO) == {"digest": "old", "withdrawn": ["new"]}


def test_root_and_name_can_be_others(home, tmp_path):
    home.parent.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/dcgan").rename(tmp_path / "elsewhere/faces")
    where = "--publish-root", "elsewhere", "--name", "faces"
    assert "elsewhere/faces:\nversion 3" in dcgan("publish", "--rollback", *where, cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "add --rollback; `dcgan run` publishes"),
        (["--rollback", "--name", "cats"], "nothing is published in"),
        (["--rollback", "--publish-root", "file"], "nothing is published in"),
        (["--rollback", "--publish-root", "s3://"], "no address in a bucket"),
        (["--rollback", "--publish-root", "ftp://x/y"], "no address in a bucket"),
        (["--rollback", "--publish-root", "x" * 300], "File name too long"),
    ],
)
def test_mistake_is_one_line(home, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    assert message in dcgan("publish", *arguments, cwd=tmp_path, code=2)
    assert {path.name for path in home.parent.iterdir()} == {"dcgan"}


def test_in_a_bucket_it_is_the_same(tmp_path, bucket):
    for version, digest in (("1", "old"), ("2", "new")):
        bucket.put(f"models/dcgan/{version}/model.json", f'{{"digest": "{digest}"}}'.encode())
        bucket.put(f"models/dcgan/{version}/saved_model.pb", b"")
    root = f"{bucket.address}/models"
    said = dcgan("publish", "--rollback", "--publish-root", f"{root}/", cwd=tmp_path)
    assert said.startswith(f"{root}/dcgan:\nversion 3 is served now, a copy of version 1\n")
    missing = f"{bucket.address}-missing"
    said = dcgan("publish", "--rollback", "--publish-root", missing, cwd=tmp_path, code=2)
    assert f"cannot see what is published in {missing}/dcgan (" in said


def test_what_googles_client_logs_is_not_shown(tmp_path, make_bucket, monkeypatch):
    """It logs, with a traceback, what it raises, too."""
    missing = f"{make_bucket('gs').address}-missing"
    monkeypatch.delenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere"))
    dcgan("publish", "--rollback", "--publish-root", missing, cwd=tmp_path, code=2)


def test_a_run_first_sees_whether_it_may_write_to_the_bucket(tmp_path, bucket):
    config = load_config("demo")
    check(config, tmp_path, f"{bucket.address}/models")
    assert names_below(bucket.address) == []
    with pytest.raises(UsageError, match=r"--publish-root \S+-missing: cannot write there \("):
        check(config, tmp_path, f"{bucket.address}-missing")
