import json
from operator import attrgetter
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from components.evaluate.config import EvaluateConfig
from components.ingest.config import IngestConfig
from components.shared.errors import UsageError
from pipeline.config import PipelineConfig, load_config, profiles
from pipeline.fields import all_settings, takes


@pytest.mark.parametrize("profile", ["demo", "seed", "full"])
def test_profiles_are_valid(profile):
    assert profile in profiles()
    load_config(profile)


def test_seed_profile_is_the_write_up():
    train = load_config("seed").train
    assert (train.epochs, train.batch_size, train.latent_size) == (50, 10, 100)
    assert (train.base_width, train.kernel_size) == (1024, 5)
    assert (train.leaky_slope, train.dropout) == (0.3, 0.3)
    assert train.generator_beta_1 == train.discriminator_beta_1 == 0.9
    assert train.generator_learning_rate == train.discriminator_learning_rate == 1e-4
    assert (train.r1_weight, train.augment, train.ema_half_life) == (0, (), 0)


def test_file_goes_over_profile_and_override_over_both(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("train: {epochs: 7, batch_size: 16}\n")
    config = load_config("demo", file, ["train.batch_size=8"])
    assert (config.train.epochs, config.train.batch_size) == (7, 8)
    assert config.train.base_width == load_config("demo").train.base_width


def test_resolved_configuration_repeats_the_run(tmp_path):
    config = load_config("demo", None, ["train.epochs=3", "ingest.max_images=100"])
    file = tmp_path / "config.yaml"
    file.write_text(config.to_yaml())
    assert load_config("full", file) == config
    assert yaml.safe_load(config.to_yaml())["train"]["augment"] == ["translation"]


def test_two_batches_are_asked_for_unless_set():
    assert load_config("demo", None, ["train.batch_size=20"]).transform.min_images == 40
    assert load_config("demo", None, ["transform.min_images=9"]).transform.min_images == 9


def test_what_was_worked_out_is_not_saved(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(load_config("demo", overrides=["train.batch_size=20"]).to_yaml())
    assert load_config(None, file).transform.min_images == 40
    assert load_config(None, file, ["train.batch_size=8"]).transform.min_images == 16
    file.write_text(load_config("demo", overrides=["transform.min_images=40"]).to_yaml())
    assert load_config(None, file, ["train.batch_size=8"]).transform.min_images == 40


def test_whole_floats_pass_as_kfp_sends_them():
    config = IngestConfig(image_size=128.0, max_images=5.0)
    assert (config.image_size, config.max_images) == (128, 5)


@pytest.mark.parametrize(("given", "kept"), [("collapsed", "collapsed"), ("1", 1.0), (".2", 0.2)])
def test_the_limit_of_kid_is_a_number_or_a_control(given, kept):
    config = load_config("demo", overrides=[f"evaluate.max_kid={given}"])
    assert config.evaluate.max_kid == kept
    assert load_config(settings=yaml.safe_load(config.to_yaml())) == config
    assert EvaluateConfig(**json.loads(config.evaluate.model_dump_json())) == config.evaluate


@pytest.mark.parametrize("empty", ["", " ", "''"])
def test_nothing_empties_a_text(empty):
    assert load_config("demo", overrides=[f"train.warm_start={empty}"]).train.warm_start == ""


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("images", "/data/set #2"),
        ("images", "/data/{a,b}: c"),
        ("images", "/5"),
        ("export.licence", "Photos #12 by A"),
        ("export.licence", "no"),
        ("export.licence", "4"),
        ("export.licence", "2026-01-01"),
        ("export.licence", "[sic]: 'mine'"),
        ("export.licence", "null"),
        ("export.attribution", "A\nand B"),
        ("export.model_name", "2026"),
        ("ingest.background", "#ffffff"),
        ("ingest.staging", "/b #1"),
        ("train.queue", "12:30"),
        ("train.warm_start", "/models/a #2"),
        ("cluster.experiment", "yes"),
        ("cluster.tag", "1.10"),
        ("cluster.train.cpu", "4"),
        ("cluster.images.train", "r.io/train:1"),
        ("cluster.train.node_selector.gpu", "true"),
    ],
)
def test_a_text_is_taken_as_it_was_typed(key, text):
    config = load_config(overrides=[f"{key}={text}"])
    *sections, leaf = key.split(".")
    value = attrgetter(".".join(sections))(config) if sections else config
    assert (value[leaf] if isinstance(value, dict) else getattr(value, leaf)) == text


@pytest.mark.parametrize(
    ("override", "kept"),
    [
        ("ingest.beam_options=[no, 4, '#1']", ("no", "4", "#1")),
        ("images=[a, 5]", "a\n5"),
        ("train.augment=[color, cutout]", ("color", "cutout")),
        ('train.augment=["color"]', ("color",)),
        ("cluster.train.node_selector={gpu: true, zone: 4}", {"gpu": "true", "zone": "4"}),
        ("images=[0-9]", "[0-9]"),
        ("images=[0-9]/[a,b]", "[0-9]/[a,b]"),
        ("train.loss = hinge", "hinge"),
        ("train.loss='hinge'", "hinge"),
        ('train.loss= "hinge" ', "hinge"),
        ("export.licence = © A ", "© A "),
        ("export.licence= © A", " © A"),
        ("train.epochs = 5", 5),
        ("train.seed=010", 10),
        ("train={seed: 010, minutes: 01.5}", {"seed": 10, "minutes": 1.5}),
        ("train.epochs=1_000", 1000),
        ("train.dropout=5e-1", 0.5),
        ("evaluate.max_kid= 'blurred'", "blurred"),
        ("train.flip=yes", True),
        ("train.epochs=5 # enough", 5),
        ("train.generator_learning_rate=2.0e-4", 2e-4),
    ],
)
def test_what_is_no_free_text_is_read_as_yaml(override, kept):
    found = attrgetter(override.partition("=")[0].strip())(load_config(overrides=[override]))
    assert (found.model_dump(include=kept) if isinstance(found, BaseModel) else found) == kept


def test_numbers_in_a_file_are_decimal(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("train: {seed: 010, queue: 1:30}\nexport: {licence: '010'}")
    config = load_config(file=file)
    assert (config.train.seed, config.train.queue, config.export.licence) == (10, "1:30", "010")
    file.write_text(config.to_yaml())
    assert load_config(file=file) == config


@pytest.mark.parametrize(
    "setting",
    [one for one in all_settings(PipelineConfig) if takes(one.field).startswith("a list of")],
)
def test_the_hint_for_a_list_names_values_of_its_own(setting):
    with pytest.raises(UsageError) as refused:
        load_config(overrides=[f"{setting.key}=x"])
    wanted = str(refused.value).partition("must be a list of ")[2]
    if "sections" in wanted:  # with these keys
        return
    example = wanted.partition("such as ")[2]
    assert load_config(overrides=[f"{setting.key}={example}"])


def test_what_yaml_takes_for_no_text_is_to_be_quoted_in_a_file(tmp_path):
    file = tmp_path / "mine.yaml"
    for value, read in {"#ffffff": "None", "no": "False", "4": "4"}.items():
        file.write_text(f"ingest:\n  background: {value}\n")
        with pytest.raises(UsageError) as refused:
            load_config(file=file)
        told = f"ingest.background (={read}): must be a text: put it into quotes"
        assert str(refused.value) == told


def test_a_model_to_start_from_is_named_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for given, kept in {
        "runs/published/dcgan": str(tmp_path / "runs/published/dcgan"),
        "gs://bucket/dcgan": "gs://bucket/dcgan",
        "base": "base",
    }.items():
        config = load_config("seed", overrides=[f"train.warm_start={given}"])
        assert config.train.warm_start == kept


def test_demo_is_the_packages_own_pictures_unless_a_folder_has_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config("demo", images=["demo"]).sources.endswith("faces_cc0_1000.zip")
    (tmp_path / "demo").mkdir()
    assert load_config("demo", images=["demo"]).sources == str(tmp_path / "demo")


def test_the_demo_publishes_nothing_that_blurred_pictures_beat():
    assert load_config("demo").evaluate.max_kid == "blurred"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=5", "train.epoch: no such key; did you mean train.epochs?"),
        ("epochs=5", "epochs: no such key; did you mean train.epochs?"),
        ("trian.epochs=5", "trian: no such key; did you mean train?"),
        ("train.eval_share=.2", "train.eval_share: no such key; did you mean ingest.eval_share?"),
        (
            "ingest.xyz=1",
            "ingest.xyz: no such key; choose from background, beam_options, eval_share, fit, "
            "image_size, labels, max_images, max_reject_share, near_duplicates, shards, staging",
        ),
        ("train.batch_size=-1", "train.batch_size (=-1): must be a whole number, ≥ 2, ≤ 4,096"),
        ("train.epochs=1.5", "train.epochs (=1.5): must be a whole number, ≥ 1, ≤ 100,000"),
        ("train.palette=1", "train.palette (=1): must be 0, or at least 4 colours"),
        ("evaluate.max_kid=floor", "evaluate.max_kid (='floor'): must be a number, > 0, or one of"),
        ("train.dropout=x", "train.dropout (='x'): must be a number, ≥ 0, < 1"),
        ("train.minutes=1:30", "train.minutes (='1:30'): must be a number, ≥ 0"),
        ("train.minutes=1:30.5", "train.minutes (='1:30.5'): must be a number, ≥ 0"),
        ("train.epochs=1:30", "train.epochs (='1:30'): must be a whole number, ≥ 1"),
        ("train.epochs=0x10", "train.epochs (='0x10'): must be a whole number, ≥ 1"),
        ("train={minutes: 1:30}", "train.minutes (='1:30'): must be a number, ≥ 0"),
        ("train.loss=[hinge", "--set train.loss=[hinge: '[hinge' is no YAML: must be one of "),
        ("train.dropout=.nan", "train.dropout (=nan): must be a number, ≥ 0, < 1"),
        ("ingest.image_size=65", "ingest.image_size (=65): must be one of 32, 64, 128, 256"),
        ("train.augment=color", "must be a list of color, translation, cutout, such as [color"),
        ("train=5", "train (=5): must be a section of keys and values"),
        (
            "evaluate.extractor=vgg",
            "evaluate.extractor (='vgg'): must be one of efficientnet_lite0, inception_v3_fid, "
            "inception_v3_keras, saved_model",
        ),
        (
            "evaluate.extractor=inception_v3_fid",
            "evaluate.extractor_source (=''): inception_v3_fid needs the path or address of "
            "classify_image_graph_def.pb, or of inception-2015-12-05.tgz, which holds it; "
            "evaluate.extractor_sha256 (=''): inception_v3_fid needs the SHA-256 of its file",
        ),
        (
            "evaluate={extractor: inception_v3_fid, extractor_source: /g.pb}",
            "evaluate.extractor_sha256 (=''): inception_v3_fid needs the SHA-256 of /g.pb",
        ),
        (
            "evaluate={extractor: inception_v3_keras, extractor_source: 'https://x/w.h5'}",
            "evaluate.extractor_sha256 (=''): inception_v3_keras needs the SHA-256 of https://x/",
        ),
        (
            "evaluate={extractor: inception_v3_keras, extractor_source: gs://x/w.h5}",
            "extractor_source (='gs://x/w.h5'): must be a path or begin with https:// or http://",
        ),
        (
            "evaluate.extractor=saved_model",
            "evaluate.extractor_source (=''): saved_model needs the path of the SavedModel",
        ),
        (
            "evaluate={extractor: saved_model, extractor_source: https://x/y}",
            "(='https://x/y'): saved_model needs the path of the SavedModel's folder",
        ),
        (
            "evaluate.extractor_source=a.pb",
            "(='a.pb'): efficientnet_lite0 comes with the package: leave it empty",
        ),
        ("evaluate.extractor_sha256=abc", "evaluate.extractor_sha256 (='abc'): String should"),
        (
            "evaluate.max_kid=blured",
            "evaluate.max_kid (='blured'): must be a number, > 0, or one of blurred, collapsed",
        ),
        ("evaluate.max_kid=0", "evaluate.max_kid (=0): must be a number, > 0, or one of blurred,"),
        ("evaluate.max_kid=.inf", "evaluate.max_kid (=inf): must be a number, > 0, or one of"),
        ("evaluate.max_kid=[blurred]", "evaluate.max_kid (=['blurred']): must be a number, > 0"),
        ("train.epochs", "--set train.epochs: write section.key=value"),
        (
            "train.epochs=[",
            "--set train.epochs=[: '[' is no YAML: must be a whole number, ≥ 1, ≤ 100,000",
        ),
        ("train.epochs=!!timestamp x", "'!!timestamp x' is no YAML: must be a whole number"),
        ("train.minutes=!!float ''", "is no YAML: must be a number"),
        ("export.formats=[onnx", "is no YAML: must be a list of onnx, tflite, such as [onnx"),
        ("train.augment=[colour]", "(='colour'): Input should be 'color', 'translation' or"),
    ],
)
def test_error_names_key_value_range_and_nearest_name(override, message):
    with pytest.raises(UsageError) as error:
        load_config("demo", None, [override])
    assert message in str(error.value)
    assert error.value.exit_code == 2


def test_all_errors_are_told_at_once():
    with pytest.raises(UsageError, match=r"train\.epochs.*; evaluate\.samples"):
        load_config("demo", None, ["train.epochs=0", "evaluate.samples=0"])


@pytest.mark.parametrize("content", [None, "[1, 2]", "a: b: c"], ids=["missing", "list", "broken"])
def test_unreadable_file_is_named(tmp_path, content):
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=r"mine\.yaml"):
        load_config("demo", file)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_may_be_from_windows(tmp_path, encoding):
    file = tmp_path / "mine.yaml"
    file.write_bytes("export:\r\n  licence: © José\r\n".encode(encoding))
    assert load_config(file=file).export.licence == "© José"


def test_unknown_profile_lists_the_known():
    with pytest.raises(UsageError, match="no profile 'big': choose one of demo, full, seed"):
        load_config("big")


@pytest.mark.parametrize(
    "key", ["images", "ingest.staging", "transform.staging", "train.warm_start"]
)
def test_settings_that_are_paths_are_named_from_the_root(tmp_path, monkeypatch, key):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    given = {"~/a": "/home/me/a", "a": f"{tmp_path}/a", "gs://b/a": "gs://b/a"}
    for text, kept in given.items():
        config = load_config("seed", overrides=[f"{key}={text}"])
        found = config.sources if key == "images" else attrgetter(key)(config)
        assert found == kept


@pytest.mark.parametrize(
    ("given", "kept"), [("a/model", "{here}/a/model"), ("~/model", "/home/me/model")]
)
def test_extractor_is_kept_as_an_absolute_path(tmp_path, monkeypatch, given, kept):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.chdir(tmp_path)
    named = ["evaluate.extractor=saved_model", f"evaluate.extractor_source={given}"]
    config = load_config("demo", None, named)
    assert config.evaluate.extractor_source == kept.format(here=tmp_path)
    monkeypatch.chdir("/")
    assert load_config("demo", settings=yaml.safe_load(config.to_yaml())) == config


def test_addresses_of_extractors_stay_and_their_hash_is_in_lower_case():
    values = {"extractor": "inception_v3_fid", "extractor_source": "https://x//y/../z.tgz"}
    evaluate = {**values, "extractor_sha256": "AB" * 32}
    config = load_config("demo", settings={"evaluate": evaluate}).evaluate
    assert config.extractor_source == values["extractor_source"]
    assert config.extractor_sha256 == "ab" * 32


def test_pictures_are_kept_as_an_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load_config("demo", images=["faces"]).images == str(tmp_path / "faces")
    assert load_config("demo", images=["faces"]).sources == str(tmp_path / "faces")
    assert load_config("demo").sources.endswith("/faces_cc0_1000.zip")


@pytest.mark.parametrize("value", ["[faces, s3://b/f*]", "|\n  faces\n  s3://b/f*\n"])
def test_several_sources_are_a_list_or_lines(tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"images: {value}")
    assert load_config(file=Path("mine.yaml")).sources == f"{tmp_path}/faces\ns3://b/f*"


def test_sources_go_on_from_the_saved_configuration(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config("full", images=["faces", "s3://b/f*", "@list"])
    absolute = [f"{tmp_path}/faces", "s3://b/f*", f"@{tmp_path}/list"]
    assert config.sources.split("\n") == absolute
    assert yaml.safe_load(config.to_yaml())["images"] == absolute
    (tmp_path / "config.yaml").write_text(config.to_yaml())
    monkeypatch.chdir("/")
    assert load_config("full", tmp_path / "config.yaml") == config


def test_paranoid_is_a_setting_and_off():
    assert not load_config("demo").paranoid
    assert load_config("demo", overrides=["paranoid=true"]).paranoid


@pytest.mark.parametrize("images", [None, [], [""], ["\n"]])
def test_no_pictures_named(images):
    with pytest.raises(UsageError, match="no pictures named: pass --images"):
        _ = load_config("seed", images=images).sources
