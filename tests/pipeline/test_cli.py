"""The command line as a person types it, in a process of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]


def dcgan(*arguments, cwd, code=0):
    """Run `dcgan` at 80 columns; the error output of a failing one must be one line."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        cwd=cwd, env=os.environ | {"COLUMNS": "80"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    if code:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stdout + done.stderr


def save_pictures(folder, count, size=32):
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    for index, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / f"{index}.png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "nowhere"], "no such folder or file"),
        (["--set", "train.epoch=5"], "did you mean train.epochs?"),
        (["--set", "train.batch_size=-1"], "train.batch_size (=-1): must be"),
        (["--profile", "seed"], "no pictures named"),
        (["--profile", "big"], "choose one of demo, full, seed"),
        (["--config", "missing.yaml"], "missing.yaml"),
        (["--images", "~nobody-here/x"], "no such folder or file"),
        (["--images", "x" * 300], "File name too long"),
        (["--images", "python3-faces"], "--images"),
        (["--images", ""], "no pictures named"),
        (["--images", "*.jpg"], "nothing there fits this pattern"),
        (["--images", "*.{png,jpg}"], "braces are no wildcards here: name a source"),
        (["--images", "{a,b}"], "braces are no wildcards here: name a source"),
        (["--images", "0.png"], "0.png: is one picture: pass its folder; or"),
        (["--images", "0.png", "file"], "put a pattern in quotes, '*.png', or give"),
        (["--images=0.png", "file", "--open"], "1 more came with it, such as file: put"),
        (["--images", "/dev/null"], "'/dev/null' is no file but a pipe or a device"),
        (["--images", "@/dev/null"], "'@/dev/null' is no file but a pipe or a device"),
        (["--images", "@nowhere"], "no such folder or file"),
        (["--images", "@python3-faces"], "Is a directory"),
        (["--images", "http://x/y"], "no bucket that can be read"),
        (["--images", "gs:///y"], "no bucket that can be read"),
        (["--images", "file", "--images", "nowhere"], "/nowhere"),
        (["--images", os.fsdecode(b"caf\xe9")], "a name that is no UTF-8"),
        (["--runs-dir", os.fsdecode(b"caf\xe9")], "caf\\xe9: a name that is no UTF-8 cannot be"),
        (["--publish-root", os.fsdecode(b"\xe9")], "\\xe9: a name that is no UTF-8 cannot be"),
        (
            ["--set", os.fsdecode(b"ingest.staging=\xe9")],
            "\\xe9: a name that is no UTF-8 cannot be",
        ),
        (["--runs-dir", "python3/runs"], "--runs-dir"),
        (["--publish-root", "python3"], "--publish-root"),
        (["--publish-root", "s3://models/python3"], "the word python3"),
        (["--set", "export.licence=that of python3"], "export.licence that of python3: kfp"),
        (
            ["--set", "train={base_width: 4096, discriminator_width: 0}", "--runs-dir", "/dev/shm"],
            "this run needs about",
        ),
        (
            ["--set", "evaluate={extractor: saved_model, extractor_source: python3/model}"],
            "evaluate.extractor_source",
        ),
        (
            ["--set", "evaluate={extractor: saved_model, extractor_source: model}"],
            "evaluate.extractor_source: no SavedModel in",
        ),
        (
            ["--set", "evaluate={extractor: inception_v3_keras, extractor_source: model}"],
            "evaluate.extractor_source: cannot read",
        ),
        (
            [
                "--set",
                "evaluate={extractor: inception_v3_fid, extractor_source: file, "
                f"extractor_sha256: {'a' * 64}}}",
            ],
            "instead of aaaa",
        ),
        (["--set", "ingest.max_images=30"], "ingest.max_images (=30) leaves too few"),
        (["--set", "train.warm_start=nowhere"], "train.warm_start: there is no model at"),
        (["--set", "train.warm_start=file"], "train.warm_start: there is no model at"),
        (["--set", "train.warm_start=python3-faces/.."], "train.warm_start: there is no model at"),
        (["--runs-dir", "file"], "cannot write there (File exists)"),
        (["--runs-dir", "file/runs"], "cannot write there (Not a directory)"),
        (["--runs-dir", "/proc/runs"], "cannot write there"),
        (["--publish-root", "/proc/published"], "--publish-root /proc/published: cannot write"),
        (["--publish-root", "http://x/y"], "http://x/y: no address in a bucket"),
        (["--publish-root", "gs:///y"], "gs:///y: no address in a bucket"),
        (["--publish-root", "s3://"], "s3://: no address in a bucket"),
        (["--runner", "docker"], "no Docker engine answers"),
        (
            ["--runner", "docker", "--set", "export.formats=[onnx]"],
            "onnx needs the package tf2onnx, which the image dcgan-pipeline/export:",
        ),
        (
            ["--runner", "docker", "--tag", "mine", "--set", "export.formats=[onnx]"],
            "no Docker engine answers",
        ),
        (["--tag", "v1"], "add --runner docker"),
    ],
)
def test_mistake_is_one_line_and_leaves_nothing(tmp_path, arguments, message, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    (tmp_path / "file").touch()
    (tmp_path / "0.png").touch()
    (tmp_path / "python3-faces").mkdir()
    assert message in dcgan("run", *arguments, cwd=tmp_path, code=2)
    assert {path.name for path in tmp_path.iterdir()} <= {"0.png", "file", "python3-faces", "runs"}
    assert_no_outputs(tmp_path / "runs")


def test_what_no_installed_package_can_make_is_refused_before_anything_runs(tmp_path, monkeypatch):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text("import sys; sys.modules.update(av=None)")
    monkeypatch.setenv("PYTHONPATH", f"{hidden}:{ROOT}")
    arguments = ["run", "--profile", "demo", "--set", "export.animations=[webp, mp4]"]
    assert "mp4 needs the package av" in dcgan(*arguments, cwd=tmp_path, code=2)
    assert_no_outputs(tmp_path / "runs")


def test_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    for more in ((), ("--dry-run",)):
        message = dcgan("run", "--images", "empty", *more, cwd=tmp_path, code=3)
        assert f"error: no pictures in '{tmp_path}/empty': pass a source with" in message
    assert_no_outputs(tmp_path / "runs")


def test_folder_with_too_many_broken_files_is_refused(tmp_path):
    save_pictures(tmp_path / "faces", 38)
    for index in range(4):
        (tmp_path / "faces" / f"broken{index}.jpg").write_bytes(b"not a picture")
    message = dcgan("run", "--images", "faces", cwd=tmp_path, code=3)
    assert "ingest.max_reject_share" in message
    assert_no_outputs(tmp_path / "runs")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; see the read-only mount")
def test_unwritable_runs_folder_is_refused(tmp_path):
    (tmp_path / "runs").mkdir(mode=0o500)
    assert "cannot write there" in dcgan("run", cwd=tmp_path, code=2)


@pytest.fixture
def tmpfs(tmp_path):
    """Mount a small file system; needs root."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting needs root")
    mounted = []

    def mount(options):
        folder = tmp_path / "mounted"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        if subprocess.run(command, check=False).returncode:
            pytest.skip("this root may not mount")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def test_disk_with_too_little_room_is_refused_at_once(tmp_path, tmpfs):
    runs = tmpfs("size=8m") / "runs"
    assert "8 MB free" in dcgan("run", "--runs-dir", runs, cwd=tmp_path, code=2)


def test_read_only_runs_folder_is_refused(tmp_path, tmpfs):
    folder = tmpfs("size=300m")
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    message = dcgan("run", "--runs-dir", folder / "runs", cwd=tmp_path, code=2)
    assert "cannot write there (Read-only file system)" in message


def test_disk_that_fills_up_during_ingest_leaves_no_half_made_output(tmp_path, tmpfs):
    runs = tmpfs("size=300m") / "runs"
    save_pictures(tmp_path / "faces", 120)
    runs.mkdir()
    # 256 MiB are asked for at the start; pictures of 256×256 take 24 MB of records.
    (runs.parent / "ballast").write_bytes(bytes(43 * 2**20))
    filler = subprocess.Popen([sys.executable, "-c", FILL, str(runs)])
    try:
        message = dcgan(
            "run", "--runs-dir", runs, "--images", "faces", "--set", "ingest.image_size=256",
            cwd=tmp_path, code=2,
        )  # fmt: skip
    finally:
        filler.wait(timeout=90)
    assert "no space left" in message
    assert_no_outputs(runs)


# Take the room away once the run has passed its first check: when it has opened its log.
FILL = """
import pathlib, sys, time
runs = pathlib.Path(sys.argv[1])
deadline = time.monotonic() + 60
while not list(runs.glob("logs/*.log")) and time.monotonic() < deadline:
    time.sleep(0.01)
(runs.parent / "filler").write_bytes(bytes(248 * 2**20))
"""


def test_commands_on_something_that_is_no_run(tmp_path):
    assert "is no finished run" in dcgan("inspect", "nowhere", cwd=tmp_path, code=2)
    assert "no model in" in dcgan("sample", "--model", "nowhere", cwd=tmp_path, code=2)
    assert "File name too long" in dcgan("inspect", "x" * 300, cwd=tmp_path, code=2)
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic links: loop/run.json" in dcgan("inspect", "loop", cwd=tmp_path, code=2)
    (tmp_path / "run.json").write_text("{")
    assert "run.json is damaged" in dcgan("inspect", ".", cwd=tmp_path, code=2)
    (tmp_path / "saved_model.pb").write_text("no model")
    assert "cannot use the model" in dcgan("sample", "--model", ".", cwd=tmp_path, code=2)


def test_ctrl_c_is_one_line_and_its_step_is_swept_away(tmp_path):
    save_pictures(tmp_path / "faces", 40)
    (tmp_path / "empty").mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--images", "faces"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        while not (steps := list((tmp_path / "runs").glob(".steps/*/*/ingest"))):
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, error = process.communicate()
    assert process.returncode == 130
    assert error == "error: stopped; the same command goes on from there\n"
    dcgan("run", "--images", "empty", cwd=tmp_path, code=3)  # any next run
    assert not steps[0].exists()
    assert_no_outputs(tmp_path / "runs")


def test_sigterm_is_one_line(tmp_path):
    save_pictures(tmp_path / "faces", 40)
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline", "run", "--images", "faces"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while not list((tmp_path / "runs").glob(".steps/*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.terminate()
        _, error = process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert error == "error: stopped by SIGTERM\n"


def test_doctor_finds_this_machine_fit(tmp_path):
    found = dcgan("doctor", cwd=tmp_path)
    for name in ("Python", "tensorflow", "names", "disk", "GPU", "runners"):
        assert name in found
    assert max(map(len, found.splitlines())) <= 80


def test_help_loads_fast_and_fits_80_columns(tmp_path):
    code = (
        "import sys; import pipeline.cli\n"
        "heavy = {'tensorflow', 'apache_beam', 'kfp', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    commands = ("", "run", "watch", "sample", "settings", "inspect", "compare", "doctor")
    for command in commands:
        text = dcgan(*command.split(), "--help", cwd=tmp_path)
        assert max(map(len, text.splitlines())) <= 80


def assert_no_outputs(runs: Path):
    """Nothing that looks like a result, whole or half-made."""
    assert not (runs / "latest").exists()
    left = {path.name for path in runs.rglob("*")}
    assert not left & {"records", "manifest.json", "training", "report.html", "saved_model"}
    assert not [name for name in left if "partial" in name]
