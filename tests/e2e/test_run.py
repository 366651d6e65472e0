"""The whole DAG through the command line, with processes that are killed on the way."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from nbclient import NotebookClient
from PIL import Image

from components.shared.contracts import MANIFEST
from components.shared.files import read_json
from pipeline import sample as draw
from pipeline.results import read_run
from tests.e2e.processes import task_process, wait_for_training

pytestmark = pytest.mark.e2e
TINY = Path(__file__).with_name("tiny.yaml")
NOTEBOOK = Path(__file__).parents[2] / "docs/training.ipynb"
COMPARED = {"fingerprint", "validate", "report", "compare"}  # what another champion runs again
# Another training, which is shorter and whose generator hardly learns.
WORSE = [part for value in ("seed=1", "epochs=1", "generator_learning_rate=1e-6")
         for part in ("--set", f"train.{value}")]  # fmt: skip


def command(workspace, *arguments, images=("faces",)):
    sources = [part for source in images for part in ("--images", source)]
    return [
        sys.executable, "-m", "pipeline", "run", *sources, "--config", str(TINY),
        "--runs-dir", str(workspace / "runs"), *arguments,
    ]  # fmt: skip


def run(workspace, *arguments, code=0, images=("faces",)):
    done = subprocess.run(
        command(workspace, *arguments, images=images),
        cwd=workspace, env=os.environ | {"COLUMNS": "80"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    log = "\n".join(path.read_text() for path in sorted((workspace / "runs/logs").glob("*")))
    assert done.returncode == code, done.stdout + done.stderr + log[-5000:]
    return done.stdout + done.stderr


def foreseen(workspace, *arguments, code=0):
    """What `--dry-run` says of each task, by its name; it must leave all as it is."""
    before = {path: path.lstat().st_mtime_ns for path in workspace.rglob("*") if path.is_file()}
    text = run(workspace, *arguments, "--dry-run", code=code)
    left = {path: path.lstat().st_mtime_ns for path in workspace.rglob("*") if path.is_file()}
    assert left == before
    assert max(map(len, text.splitlines()[:-1])) <= 80
    table = re.sub(r" +", " ", re.sub(r" *\n {8,}", " ", text))
    return dict(re.findall(r"^([a-z]+) ((?:cached|runs|may run|not run).*?) *$", table, re.M))


def tasks_of(forecast, *does):
    return {task for task, said in forecast.items() if said.startswith(does)}


def latest(workspace):
    return json.loads((workspace / "runs/latest/run.json").read_text())


def comparison(workspace):
    return json.loads(Path(latest(workspace)["artifacts"]["comparison"]).read_text())


def report_of(workspace):
    return (workspace / "runs/latest/report.html").read_text()


def published(workspace, root="runs/published"):
    """Digest of each published version, by its number."""
    infos = (workspace / root / "dcgan").glob("[0-9]*/model.json")
    return {path.parent.name: json.loads(path.read_text())["digest"] for path in infos}


def frames(gif):
    with Image.open(gif) as file:
        return file.n_frames


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A folder with pictures, a broken one among them, and one finished run."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "faces" / "deeper").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for index in range(60):
        corners = generator.integers(0, 256, (3, 3, 3), np.uint8)
        picture = Image.fromarray(corners).resize((48, 40), Image.Resampling.BICUBIC)
        picture.save(folder / "faces" / ("deeper" if index % 2 else ".") / f"{index}.png")
    (folder / "faces" / "broken.jpg").write_bytes(b"not a picture")
    (folder / "first_output.txt").write_text(run(folder))
    return folder


def test_run_leaves_everything_a_person_asks_for(workspace):
    folder = workspace / "runs/latest"
    assert {path.name for path in folder.iterdir()} == {
        "report.html", "dcgan.gif", "latent_walk.gif", "samples.png", "saved_model",
        "generator.keras", "discriminator.npz", "MODEL_CARD.md", "config.yaml", "run.json",
        "model.json", "dcgan.webp",  # as tiny.yaml asks
    }  # fmt: skip
    assert frames(folder / "dcgan.gif") == 5
    assert "<html" in (folder / "report.html").read_text()
    version = workspace / "runs/published/dcgan/1"
    for name in ("saved_model.pb", "data.json", "real_features.npz"):
        assert (version / name).exists(), name


def test_a_run_says_where_its_results_are_and_how_good(workspace):
    values, found = latest(workspace), read_run(workspace / "runs/latest", ())
    for path in (found.report, found.gif, found.samples, found.saved_model, found.generator):
        assert path.exists(), path
    assert len(found.sheets) == 5
    assert found.training._asdict() == values["training"]
    assert found.epoch == values["best"]["epoch"]
    assert found.scores._asdict().items() <= values["best"].items()
    assert found.controls.keys() == {"floor", "blurred", "collapsed"}
    assert found.controls["floor"].kid == values["floor"]["kid"]
    assert (found.blessed, found.blessed_reason) == (True, values["blessed_reason"])


def test_table_at_the_end_says_what_was_done_and_where_it_is(workspace):
    text = (workspace / "first_output.txt").read_text()
    assert "60 pictures in, 1 rejected" in text
    assert re.search(r"KID \S+ at epoch", text)
    assert re.search(r"^pictures +faces *$", text, re.MULTILINE)
    for name in ("report.html", "dcgan.gif", "saved_model"):
        assert f"runs/latest/{name}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_saved_model_works_in_a_new_process_with_tensorflow_alone(workspace):
    code = (
        "import sys, tensorflow as tf\n"
        "draw = tf.saved_model.load(sys.argv[1]).signatures['serving_default']\n"
        "images = draw(latents=tf.random.normal([3, 8]))['images']\n"
        "assert images.dtype == tf.uint8 and images.shape == (3, 32, 32, 3), images\n"
        "assert 'components' not in sys.modules\n"
    )
    model = str(workspace / "runs/latest/saved_model")
    subprocess.run([sys.executable, "-c", code, model], check=True, cwd="/")


def test_command_and_library_draw_the_same_samples(workspace):
    arguments = ["sample", "--model", "runs/latest", "--count", "9", "--seed", "7"]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments, "--out", "seven.png"],
        cwd=workspace, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == "", "TensorFlow's notes are not for the person"
    grid = np.asarray(Image.open(workspace / "seven.png"))
    assert grid.shape == (3 * 34 + 2, 3 * 34 + 2, 3)
    cells = [grid[row:][2:34, column:][:, 2:34] for row in (0, 34, 68) for column in (0, 34, 68)]
    pictures = draw(workspace / "runs/latest", count=9, seed=7)
    np.testing.assert_array_equal(cells, pictures)
    assert np.any(pictures != draw(workspace / "runs/latest", count=9, seed=8))


def test_second_run_does_nothing_and_says_so(workspace):
    before, forecast = latest(workspace), foreseen(workspace)
    text = run(workspace)
    after = latest(workspace)
    assert set(after["tasks"]) == COMPARED | {"publish"}, "a model is there now"
    assert tasks_of(forecast, "runs", "may run") == set(after["tasks"])
    assert forecast["compare"].endswith("settings, code, inputs and published model")
    assert forecast["report"] == "runs because of validate and compare"
    assert after["tasks"]["compare"]["work"] < 0.5
    assert "nothing new to train on" in text
    changed = {"validation", "report", "card", "comparison"}
    for name, path in before["artifacts"].items():
        assert (after["artifacts"][name] != path) == (name in changed), name
    assert before["drift"] == "no model is published yet"
    assert after["drift"] == "the same pictures as version 1's"
    assert "The same pictures as version 1&#39;s." in (report := report_of(workspace))
    assert "No model is published yet" not in report
    assert after["best"] == before["best"]
    assert set(published(workspace)) == {"1"}


def test_third_run_does_not_even_compare(workspace):
    before, forecast = latest(workspace), foreseen(workspace)
    run(workspace)
    after = latest(workspace)
    assert set(after["tasks"]) == {"fingerprint", "publish"} == tasks_of(forecast, "runs")
    assert len(tasks_of(forecast, "cached")) == 8
    assert after["artifacts"] == before["artifacts"]
    assert set(published(workspace)) == {"1"}


def test_the_notebook_takes_what_the_command_left(workspace):
    """With this folder's pictures and settings for the demo's, so that nothing is trained."""
    before, notebook = latest(workspace), nbformat.read(NOTEBOOK, as_version=4)
    parameters = next(cell for cell in notebook.cells if "tags" in cell.metadata)
    settings = yaml.safe_load(TINY.read_text())
    parameters.source = f"images = 'faces'\nsettings = {settings}\nruns_dir = 'runs'"
    NotebookClient(notebook, resources={"metadata": {"path": workspace}}).execute()
    after = latest(workspace)
    assert set(after["tasks"]) == {"fingerprint", "publish"}
    assert after["artifacts"] == before["artifacts"]
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    said = "".join(output.text for output in outputs if output.output_type == "stream")
    for text in (
        "fingerprint faces: ",
        after["standing"],
        after["blessed_reason"],
        "(8, 32, 32, 3)",
    ):
        assert text in said
    data = [output.data for output in outputs if "data" in output]
    shown = [kind for one in data for kind in ("image/png", "image/gif") if kind in one]
    assert [kind.removeprefix("image/") for kind in shown] == ["png", "png", "gif", "png", "png"]


def test_changed_setting_runs_what_depends_on_it(workspace):
    changes = ("--set", "export.gif_frames=3", "--set", "export.formats=[tflite]")
    forecast = foreseen(workspace, *changes)
    run(workspace, *changes)
    assert set(latest(workspace)["tasks"]) == COMPARED | {"export", "publish"}
    assert tasks_of(forecast, "runs", "may run") == COMPARED | {"export", "publish"}
    assert frames(workspace / "runs/latest/dcgan.gif") == 3
    assert (workspace / "runs/latest/generator.tflite").exists()


def test_too_few_held_out_pictures_are_refused_before_the_training(workspace):
    chosen = ("--set", "evaluate.samples=60", "--set", "evaluate.neighbours=29")
    said = run(workspace, *chosen, "--set", "train.seed=5", code=3)
    assert re.search(r"error: validate: \d+ pictures are held out .* need 30 of each", said)
    assert "   train " not in said
    foretold = run(workspace, *chosen, "--set", "train.seed=5", "--dry-run", code=3)
    assert foretold.splitlines()[-1] == said.splitlines()[-1]


def test_saved_configuration_repeats_the_run(workspace):
    before = latest(workspace)
    configuration = str(workspace / "runs/latest/config.yaml")
    run(workspace, "--config", configuration)
    after = latest(workspace)
    assert set(after["tasks"]) == {"fingerprint", "publish"}
    assert after["artifacts"] == before["artifacts"]


def test_worse_model_does_not_replace_a_better_one(workspace):
    best, versions = latest(workspace)["best"], published(workspace)
    assert best["epoch"] < 4, "not the last"
    assert re.search(r"; from the start, to step \d at most$", foreseen(workspace, *WORSE)["train"])
    text = run(workspace, *WORSE, "--require-blessed", code=5)
    summary, compared = latest(workspace), comparison(workspace)
    assert set(summary["tasks"]) == COMPARED - {"validate"} | {"train", "evaluate", "export"}
    assert compared["kid"] == pytest.approx(summary["best"]["kid"])
    assert compared["champion_kid"] == pytest.approx(best["kid"])
    assert compared["kid"] > compared["champion_kid"]
    assert published(workspace) == versions
    assert summary["blessed"] is False
    assert text.splitlines()[-1] == f"error: not blessed: {compared['reason']}"
    table = text[text.index("task ") : text.index("error: ")]
    assert "not blessed: KID" in table
    assert max(map(len, table.splitlines())) <= 80

    forecast = foreseen(workspace, *WORSE, "--require-blessed", code=5)
    run(workspace, *WORSE)
    assert set(latest(workspace)["tasks"]) == {"fingerprint"} == tasks_of(forecast, "runs")
    assert forecast["publish"] == f"not run not blessed: {compared['reason']}"


def test_better_model_becomes_the_next_version(workspace):
    root = ("--publish-root", "other")
    run(workspace, *WORSE, *root)
    before = published(workspace, "other")
    run(workspace, *root, "--require-blessed")
    assert set(latest(workspace)["tasks"]) == COMPARED | {"publish"}
    compared = comparison(workspace)
    assert compared["kid"] < compared["champion_kid"]
    assert before == {"1": compared["champion"]}
    assert published(workspace, "other") == before | {"2": published(workspace)["1"]}


def test_a_model_worse_than_a_control_is_kept_and_not_published(workspace):
    options = ("--set", "evaluate.max_kid=blurred", "--publish-root", "strict")
    text = run(workspace, *options)
    summary = latest(workspace)
    assert summary["blessed"] is False
    assert re.fullmatch(
        r"KID \S+ is above \S+, that of real pictures blurred by 0.5 px "
        r"\(evaluate\.max_kid=blurred\)",
        summary["blessed_reason"],
    )
    said = " ".join(text.split())
    assert said.count(summary["standing"]) == 2, "as it ran, and first of the summary"
    assert max(map(len, text.splitlines())) <= 80
    card = (workspace / "runs/latest/MODEL_CARD.md").read_text()
    report = " ".join(report_of(workspace).split())
    assert summary["standing"] in card
    assert summary["standing"] in report
    assert published(workspace, "strict") == {}
    run(workspace, *options, "--require-blessed", code=5)
    assert draw(workspace / "runs/latest", count=2).shape == (2, 32, 32, 3)


@pytest.mark.parametrize("bucket", ["s3"], indirect=True)  # ingest's own tests have all schemes
def test_training_by_minutes_is_repeated_by_the_epochs_that_it_reached(workspace, bucket):
    """And on the same pictures from elsewhere: half a bucket's, half a pattern's."""
    for path in (workspace / "faces").glob("*.*"):
        bucket.put(f"some/{path.name}", path.read_bytes())
    elsewhere = ("--publish-root", "by-minutes")
    run(workspace, "--set", "train.seed=2", "--set", "train.minutes=0.000001", *elsewhere)
    ended, configuration = latest(workspace), workspace / "runs/latest/config.yaml"
    assert ended["training"]["epochs"] == 1
    train = yaml.safe_load(configuration.read_text())["train"]
    assert (train["epochs"], train["minutes"]) == (1, 0)
    places = (f"{bucket.address}/some", "faces/deeper/*.png")
    text = run(workspace, "--config", str(configuration), *elsewhere, images=places)
    assert "60 pictures in, 1 rejected" in text
    assert "already trained to step" in text
    after = latest(workspace)
    assert {"ingest", "train"} <= after["tasks"].keys()
    records = [Path(one["artifacts"]["records"]) / MANIFEST for one in (ended, after)]
    assert records[0] != records[1]
    assert read_json(records[0])["digest"] == read_json(records[1])["digest"]
    for name in ("counts", "training", "best"):
        assert after[name] == ended[name], name


def test_killed_training_goes_on_and_a_changed_picture_is_seen(workspace):
    Image.new("RGB", (40, 40), (200, 30, 30)).save(workspace / "faces" / "added.png")
    longer, versions = ("--set", "train.epochs=30"), published(workspace)
    assert foreseen(workspace, *longer)["train"].startswith("runs because of ingest")
    with subprocess.Popen(
        command(workspace, *longer), cwd=workspace, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        wait_for_training(workspace, epochs=30, at_least=5)
        os.kill(task_process("train", workspace), signal.SIGKILL)
        _, error = process.communicate()
    assert process.returncode == 1
    assert "the same command goes on" in error
    assert len(error.strip().splitlines()) == 1

    error = run(workspace, *longer, "--set", "train.seed=9", "--dry-run", code=2)
    assert re.match(r"error: train: the training in \S+ is unfinished \(step \d+ of", error)
    forecast = foreseen(workspace, *longer)
    text = run(workspace, *longer)
    step = re.search(r"train going on from step (\d+) of \d+, epoch \d+", text)[1]
    assert f"; goes on from step {step} of " in forecast["train"]
    summary = latest(workspace)
    assert summary["counts"]["train"] + summary["counts"]["eval"] == 61
    assert "train" in summary["tasks"]
    assert "ingest" not in summary["tasks"], "done before the kill"
    assert re.match(r"other pictures, (unlike|but like) version 1's: KID", summary["drift"])
    assert "What changed since version 1" in report_of(workspace)

    compared = comparison(workspace)
    assert compared["champion"] == versions["1"]
    better = compared["difference"] < -compared["difference_interval"]
    assert summary["blessed"] is compared["blessed"] is better
    model = json.loads(Path(summary["artifacts"]["model"], "model.json").read_text())
    new = {"2": model["digest"]} if summary["blessed"] else {}
    assert published(workspace) == versions | new


def test_ctrl_c_waits_for_the_checkpoint_of_the_training(workspace):
    """One that only the end of the training would have brought."""
    longer = ("train.epochs=5000", "train.snapshot_epochs=5000", "train.checkpoint_seconds=1e6")
    options = [part for value in longer for part in ("--set", value)]
    with subprocess.Popen(
        command(workspace, *options), cwd=workspace, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        folder = wait_for_training(workspace, epochs=5000, at_least=33)
        before = max((folder / "checkpoints").glob("step-*.npz"))
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        _, error = process.communicate()
    assert process.returncode == 130
    assert error == "error: stopped; the same command goes on from there\n"
    row = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])
    after = max((folder / "checkpoints").glob("step-*.npz"))
    assert after > before
    steps_per_epoch = row["step"] // row["epoch"]
    assert 0 <= int(after.stem.removeprefix("step-")) - row["step"] < steps_per_epoch
