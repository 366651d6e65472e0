import pytest

from components.shared.errors import UsageError
from pipeline.bucket_credentials import bucket_credentials, files_of


def test_what_reads_buckets_is_passed_on_and_nothing_else():
    given = {
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "/secret/that/looks/like/a/path",
        "AWS_ENDPOINT_URL": "http://s3.example:9000",
        "STORAGE_EMULATOR_HOST": "http://gcs.example:4443",
    }
    others = {"HOME": "/root", "KFP_TOKEN": "t", "GOOGLE_CLOUD_PROJECT": "p", "MY_AWS_KEY": "k"}
    assert bucket_credentials(given | others) == given
    assert files_of(given) == []


def test_files_that_are_named_are_to_be_seen(tmp_path, monkeypatch):
    for name in ("key.json", "ca.pem"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    found = bucket_credentials(
        {
            "GOOGLE_APPLICATION_CREDENTIALS": "key.json",
            "AWS_CA_BUNDLE": f"{tmp_path}/ca.pem",
            "AWS_CONFIG_FILE": f"{tmp_path}/missing",
            "AWS_SESSION_TOKEN": "/" + "x" * 5000,
        }
    )
    assert found["GOOGLE_APPLICATION_CREDENTIALS"] == f"{tmp_path}/key.json"
    assert files_of(found) == [tmp_path / "ca.pem", tmp_path / "key.json"]


def test_a_missing_key_is_named():
    with pytest.raises(UsageError, match=r"GOOGLE_APPLICATION_CREDENTIALS=/no/key: no such file"):
        bucket_credentials({"GOOGLE_APPLICATION_CREDENTIALS": "/no/key"})
