"""What the first task refuses of the outside world, in a process of its own as on Kubeflow."""

import re
import subprocess
import sys

import pytest

from components.shared.files import write_json


@pytest.fixture
def refusal(tmp_path):
    """Run fingerprint for a run with these settings; gives what it says against it, or nothing."""
    (tmp_path / "pictures").mkdir()

    def refusal(publish_root, **train_config):
        arguments = {
            "images": str(tmp_path / "pictures"), "publish_root": str(publish_root),
            "checkpoint_root": str(tmp_path), "paranoid": False, "code_version": "",
            "train_config": train_config, "export_config": {},
        }  # fmt: skip
        code = (
            "from components.ingest.component import fingerprint\n"
            f"fingerprint.python_func(**{arguments!r})"
        )
        command = [sys.executable, "-W", "ignore", "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = re.search(r"\[fingerprint\] error 2: (.*)", done.stdout)
        assert done.returncode == (2 if said else 0), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return said[1] if said else ""

    return refusal


@pytest.mark.parametrize("place", ["typo", "file"])
def test_a_model_to_start_from_that_is_not_there(refusal, tmp_path, place):
    (tmp_path / "file").touch()
    said = refusal(tmp_path / "published", warm_start=f"{tmp_path}/{place}")
    assert f"train.warm_start: there is no model at {tmp_path}/{place}: name " in said


@pytest.mark.parametrize("place", ["dcgan", "dcgan/", "linked"])
def test_before_the_first_of_a_series_there_need_be_none(refusal, tmp_path, place):
    (tmp_path / "published" / "dcgan").mkdir(parents=True)
    (tmp_path / "published" / "linked").symlink_to("dcgan")
    assert not refusal(tmp_path / "published", warm_start=f"{tmp_path}/published/{place}")


@pytest.mark.parametrize("warm_start", ["", "base"])
def test_what_names_no_place(refusal, tmp_path, warm_start):
    assert not refusal(tmp_path / "published", warm_start=warm_start)


@pytest.mark.parametrize("place", ["models/dcgan", "models/dcgan/3"])
def test_a_model_to_start_from_in_a_folder(refusal, tmp_path, place):
    version = tmp_path / "models/dcgan/3"
    version.mkdir(parents=True)
    write_json(version / "model.json", {"digest": "abc"})
    home = tmp_path / "published"
    assert "generator.keras" in refusal(home, warm_start=str(tmp_path / "models/dcgan"))
    (version / "generator.keras").touch()
    assert not refusal(home, warm_start=str(tmp_path / place))


def test_a_model_to_start_from_in_a_bucket(refusal, bucket):
    own, other = f"{bucket.address}/models", f"{bucket.address}/others/dcgan"
    assert not refusal(own, warm_start=f"{own}/dcgan/")
    assert f"there is no model at {other}: " in refusal(own, warm_start=other)
    bucket.put("others/dcgan/generator.keras", b"")
    assert not refusal(own, warm_start=other)
    assert bucket.client.find(own) == [], "nothing is left of the try to write"


def test_a_publish_root_that_cannot_be_written(refusal, bucket, tmp_path):
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", "/proc/published", f"{bucket.address}-missing"):
        assert f"cannot publish to {root}/dcgan" in refusal(root)


def test_a_publish_root_is_not_made(refusal, tmp_path):
    assert not refusal(tmp_path / "published" / "deep")
    assert not (tmp_path / "published").exists()
