"""What Kubeflow is given, read back from the compiled file."""

import json
import os
import subprocess
import sys

import pytest
import yaml
from google.protobuf import json_format
from kfp.kubernetes import kubernetes_executor_config_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from components.shared.contracts import STEPS
from components.shared.restarts import RESTARTS_VARIABLE
from pipeline.cluster.compiling import compile_pipeline
from pipeline.config import load_config
from pipeline.container_images import ContainerImages
from tests.pipeline.cluster.conftest import IMAGES

SETTINGS = """
images: /claim/pictures
cluster:
  registry: ghcr.io/you
  ui_host: https://kubeflow.example
  claim: faces
  mount_path: /claim
  image_pull_secrets: [ghcr]
  webhook_secret: webhook
  secrets:
    - {name: bucket-keys, env: {id: AWS_ACCESS_KEY_ID, key: AWS_SECRET_ACCESS_KEY}}
    - {name: gcs, mount_path: /etc/gcs}
  images:
    export: ghcr.io/me/export@sha256:0123456789abcdef
  ingest: {cpu: 1500m, memory: 6Gi, retries: 5}
  transform: {restarts: 0}
  train:
    gpus: 2
    gpu_type: nvidia.com/gpu
    shared_memory: 2Gi
    timeout_minutes: 90
    node_selector: {accelerator: h100}
    tolerations: [{key: gpu, operator: Equal, value: "yes", effect: NoSchedule}]
"""
OUTSIDE = {"fingerprint", "ingest", "validate", "train", "evaluate", "compare", "publish"}


class Compiled:
    """A compiled pipeline, by task."""

    def __init__(self, config):
        self.text = compile_pipeline(config).text
        self.spec, self.platform = (list(yaml.safe_load_all(self.text)) + [{}])[:2]
        self.executors = self._named(self.spec["deploymentSpec"]["executors"])
        deployment = self.platform["platforms"]["kubernetes"]["deploymentSpec"]
        self.kubernetes = self._named(deployment["executors"])
        self.groups = {}
        self.tasks = dict(self._tasks(self.spec["root"]["dag"]))

    def _named(self, executors):
        return {name.removeprefix("exec-"): value for name, value in executors.items()}

    def _tasks(self, dag):
        for name, task in dag["tasks"].items():
            component = self.spec["components"][task["componentRef"]["name"]]
            yield name, task
            if "dag" in component:
                self.groups[name] = set(component["dag"]["tasks"])
                yield from self._tasks(component["dag"])


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    path = tmp_path_factory.mktemp("cluster") / "cluster.yaml"
    path.write_text(SETTINGS)
    return Compiled(load_config("full", path))


def test_kubeflows_own_validators_accept_it(compiled):
    spec, platform = pipeline_spec_pb2.PipelineSpec(), pipeline_spec_pb2.PlatformSpec()
    json_format.ParseDict(compiled.spec, spec)
    json_format.ParseDict(compiled.platform, platform)
    assert spec.schema_version == "2.1.0"
    assert spec.pipeline_info.name == "dcgan"
    for name, config in compiled.kubernetes.items():
        message = kubernetes_executor_config_pb2.KubernetesExecutorConfig()
        json_format.ParseDict(config, message)
        assert message.security_context.run_as_user == 10001, name


def test_steps_follow_the_data_and_the_gate(compiled):
    edges = {name: set(task.get("dependentTasks", ())) for name, task in compiled.tasks.items()}
    assert edges["fingerprint"] == set()
    assert edges["ingest"] == {"fingerprint"}
    assert edges["transform"] == {"ingest"}
    assert edges["train"] == {"ingest", "transform", "validate"}
    assert edges["evaluate"] == {"ingest", "train"}
    assert edges["export"] == {"evaluate", "train"}
    assert edges["compare"] == {"evaluate", "export", "fingerprint", "ingest"}
    assert edges["validate"] == {"fingerprint", "ingest", "transform"}
    assert edges["report"] == {
        "compare", "evaluate", "export", "ingest", "train", "validate"
    }  # fmt: skip
    assert edges["collect"] == {"evaluate", "export", "report"}
    (gate,) = (name for name in compiled.tasks if name.startswith("condition-"))
    assert edges[gate] == {"compare", "evaluate", "export", "report", "validate"}
    condition = compiled.tasks[gate]["triggerPolicy"]["condition"]
    assert condition.endswith("['pipelinechannel--compare-Output'] == true")
    assert compiled.groups[gate] == {"publish"}


def test_a_failure_is_told_when_all_else_has_ended(compiled):
    assert set(compiled.spec["root"]["dag"]["tasks"]) == {"exit-handler-1", "notify"}
    notify = compiled.tasks["notify"]
    assert notify["dependentTasks"] == ["exit-handler-1"]
    for name, address in {
        "ui_host": "https://kubeflow.example", "api_host": "http://ml-pipeline.kubeflow:8888"
    }.items():  # fmt: skip
        assert notify["inputs"]["parameters"][name]["runtimeValue"]["constant"] == address
    assert notify["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    # Without the secret its pod cannot begin, and the run seems to go on until then.
    assert compiled.kubernetes["notify"]["activeDeadlineSeconds"] == "600"
    (secret,) = compiled.kubernetes["notify"]["secretAsEnv"]
    assert secret["secretName"] == "webhook"
    assert secret["keyToEnv"] == [{"secretKey": "url", "envVar": "DCGAN_WEBHOOK_URL"}]


def test_without_a_webhook_nobody_is_told():
    tasks = Compiled(load_config("full", overrides=["images=/dcgan/p"])).tasks
    assert "notify" not in tasks
    assert "exit-handler-1" not in tasks


def test_each_task_has_its_steps_image_by_digest(compiled):
    images = ContainerImages("ghcr.io/you", accelerator="gpu")
    steps = {"fingerprint": "ingest"} | {step: step for step in STEPS}
    steps |= dict.fromkeys(("validate", "report", "compare"), "evaluate")
    for task, step in steps.items():
        if step != "export":
            assert compiled.executors[task]["container"]["image"] == images.reference(step)
    for task in ("export", "publish", "notify"):
        image = compiled.executors[task]["container"]["image"]
        assert image == "ghcr.io/me/export@sha256:0123456789abcdef"
    assert images.reference("train") != ContainerImages("ghcr.io/you").reference("train")


def test_resources_are_as_configured(compiled):
    ingest = compiled.executors["ingest"]["container"]["resources"]
    assert ingest["resourceCpuRequest"] == "1500m"
    assert ingest["resourceMemoryRequest"] == ingest["resourceMemoryLimit"] == "6Gi"
    train = compiled.executors["train"]["container"]["resources"]
    assert train["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert train["accelerator"]["resourceCount"] == "2"
    for name, executor in compiled.executors.items():
        resources = executor["container"]["resources"]
        assert ("accelerator" in resources) == (name == "train"), name
        assert resources["resourceCpuRequest"], name
        assert resources["resourceMemoryRequest"], name


def test_on_the_cpu_no_gpu_is_asked_for():
    compiled = Compiled(load_config("full", overrides=["images=/dcgan/p", "cluster.train.gpus=0"]))
    container = compiled.executors["train"]["container"]
    assert "accelerator" not in container["resources"]
    assert container["image"] == ContainerImages().reference("train")


def test_steps_that_crash_begin_again_in_their_pods(compiled):
    containers = {name: executor["container"] for name, executor in compiled.executors.items()}
    asked = {name: container.get("env") for name, container in containers.items()}
    assert asked.pop("notify") is None, "what was told must not be told twice"
    assert asked.pop("train") == [{"name": RESTARTS_VARIABLE, "value": "3"}]
    assert asked.pop("transform") is None, "as configured"
    assert {*OUTSIDE, "report", "export", "collect"} == {*asked, "train"}
    assert all(env == [{"name": RESTARTS_VARIABLE, "value": "2"}] for env in asked.values())


def test_lost_pods_are_the_servers_matter_unless_configured(compiled):
    assert compiled.tasks["ingest"]["retryPolicy"] == {
        "maxRetryCount": 5,
        "backoffDuration": "30s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "1800s",
    }
    assert [name for name, task in compiled.tasks.items() if "retryPolicy" in task] == ["ingest"]


def test_training_is_placed_and_limited(compiled):
    train = compiled.kubernetes["train"]
    assert train["activeDeadlineSeconds"] == str(90 * 60)
    assert train["nodeSelector"] == {"labels": {"accelerator": "h100"}}
    (toleration,) = train["tolerations"]
    assert toleration == {
        "key": "gpu",
        "operator": "Equal",
        "value": "yes",
        "effect": "NoSchedule",
    }
    (memory,) = train["emptyDirMounts"]
    assert (memory["mountPath"], memory["medium"], memory["sizeLimit"]) == (
        "/dev/shm",
        "Memory",
        "2Gi",
    )
    assert "nodeSelector" not in compiled.kubernetes["ingest"]


def test_what_is_left_empty_is_left_out():
    settings = ["cluster.train.shared_memory=''", "cluster.train.tolerations=[{key: gpu}]"]
    train = Compiled(load_config("full", overrides=["images=/dcgan/p", *settings])).kubernetes[
        "train"
    ]
    assert "emptyDirMounts" not in train
    assert train["tolerations"] == [{"key": "gpu", "operator": "Exists"}]


def test_checkpoints_are_on_a_claim_that_is_no_input_of_the_step(compiled):
    """What is mounted by a constant name outside of the inputs cannot spoil a cache hit."""
    root = compiled.spec["root"]["inputDefinitions"]["parameters"]
    assert root["checkpoint_root"]["defaultValue"] == "/claim/checkpoints"
    assert root["publish_root"]["defaultValue"] == "/claim/published"
    (mount,) = compiled.kubernetes["train"]["pvcMount"]
    assert (mount["constant"], mount["mountPath"]) == ("faces", "/claim")
    assert "taskOutputParameter" not in mount
    assert "componentInputParameter" not in mount
    assert compiled.tasks["train"]["cachingOptions"] == {"enableCache": True}
    assert not any("faces" in str(value) for value in compiled.tasks["train"]["inputs"].values())


def test_only_what_works_outside_sees_the_claim_and_the_buckets_secrets(compiled):
    for name, config in compiled.kubernetes.items():
        outside = name in OUTSIDE
        assert bool(config.get("pvcMount")) == outside, name
        volumes = [one["secretName"] for one in config.get("secretAsVolume", ())]
        assert volumes == (["gcs"] if outside else []), name
        secrets = [one["secretName"] for one in config.get("secretAsEnv", ())]
        assert secrets == (["bucket-keys"] if outside else ["webhook"] * (name == "notify")), name
    env = compiled.kubernetes["ingest"]["secretAsEnv"][0]["keyToEnv"]
    assert {"secretKey": "id", "envVar": "AWS_ACCESS_KEY_ID"} in env
    assert compiled.kubernetes["ingest"]["secretAsVolume"][0]["mountPath"] == "/etc/gcs"


@pytest.mark.parametrize("setting", ["staging=gs://b/x", "beam_options=[--runner=FlinkRunner]"])
def test_transform_works_outside_where_beams_workers_do(setting):
    config = load_config("demo", None, ["images=/dcgan/faces", f"transform.{setting}"])
    assert Compiled(config).kubernetes["transform"].get("pvcMount")


def test_no_task_is_root_and_all_can_pull(compiled):
    assert compiled.kubernetes.keys() == compiled.executors.keys()
    for name, config in compiled.kubernetes.items():
        context = config["securityContext"]
        assert context == {"runAsUser": "10001", "runAsGroup": "10001", "runAsNonRoot": True}, name
        assert [one["secretName"] for one in config["imagePullSecret"]] == ["ghcr"], name
        assert int(config["activeDeadlineSeconds"]) > 0, name


def test_what_looks_at_the_outside_or_speaks_of_this_run_is_never_cached(compiled):
    never = {
        name
        for name, task in compiled.tasks.items()
        if not task.get("cachingOptions", {}).get("enableCache") and name not in compiled.groups
    }
    assert never == {"fingerprint", "publish", "collect", "notify"}


def test_configuration_is_the_parameters_default(compiled):
    parameters = compiled.spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["images"]["defaultValue"] == "/claim/pictures"
    wanted = load_config("full").model_dump(mode="json")
    for step in STEPS:
        assert parameters[f"{step}_config"]["defaultValue"] == wanted[step]


def test_same_configuration_same_file_and_nothing_heavy_is_imported(tmp_path):
    """In new processes, whose sets and dictionaries are in another order."""
    code = (
        "import json, sys; from pipeline.cli import app\n"
        "app(['compile', '-o', sys.argv[1], '--images', '/dcgan/p', '--set',"
        " 'cluster.registry=r.io'], standalone_mode=False)\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    texts = []
    for seed in ("1", "2", "3"):
        path = tmp_path / f"{seed}.yaml"
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )  # fmt: skip
        texts.append(path.read_text())
    assert texts[0] == texts[1] == texts[2]
    modules = {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not modules & {"tensorflow", "apache_beam", "tensorflow_transform", "keras"}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("cluster.tag=latest", "cluster.tag (='latest'): must never move"),
        ("cluster.images.train=ghcr.io/me/train", "must end in a digest"),
        ("cluster.images.train=ghcr.io/me/train:latest", "must end in a digest"),
        ("cluster.images.trian=ghcr.io/me/train:v1", "cluster.images.trian"),
        ("cluster.images.train=train:v1", "cluster.registry is empty"),
        ("cluster.train.gpus=-1", "cluster.train.gpus (=-1): must be a whole number, ≥ 0"),
        ("cluster.train.gpu=1", "did you mean cluster.train.gpus?"),
        ("cluster.train.memory=lots", "cluster.train.memory"),
        ("cluster.train.cpu=many", "cluster.train.cpu"),
        ("cluster.claim=My Claim", "cluster.claim"),
        ("cluster.secrets=[{name: keys}]", "give either `env` or `mount_path`"),
        ("cluster.train.tolerations=[{key: gpu, effect: Never}]", "effect"),
    ],
)
def test_wrong_setting_is_refused_by_its_name(dcgan, tmp_path, setting, message):
    path = tmp_path / "dcgan.yaml"
    done = dcgan("compile", "-o", path, "--images", "/dcgan/p", "--set", setting, code=2)
    assert message in done.err
    assert not path.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "cluster.registry is empty"),
        (["--set", "cluster.registry=r.io"], "no pictures named that a cluster could read"),
        (["--set", "cluster.registry=r.io", "--images", "/home/me"], "no pod would find it"),
        (["--set", "cluster.registry=r.io", "--images", "/dcgan2/p"], "no pod would find it"),
        (["--set", "cluster.registry=r.io", "--images", "demo"], "no pictures named that a"),
        (["--set", "cluster.registry=r.io", "--images", ""], "no pictures named that a cluster"),
        (["--set", "cluster.registry=r.io", "--images", "@/home/me/list"], "--images @/home/me"),
        (["--set", "cluster.registry=r.io", *IMAGES, "--images", "/home/me"], "--images /home/me"),
        (["--set", "cluster.registry=r.io", "--images", "http://x/y"], "no bucket that can be"),
        (["--set", "cluster.registry=r.io", "--images", "/dcgan/a\tb"], "holds what no YAML can"),
    ],
)
def test_what_no_cluster_could_run_is_refused(dcgan, tmp_path, arguments, message):
    assert message in dcgan("compile", "-o", tmp_path / "x.yaml", *arguments, code=2).err


def test_several_sources_of_all_kinds(dcgan, tmp_path):
    path = tmp_path / "x.yaml"
    sources = ("/dcgan/a", "/dcgan/**/*.jpg", "@/dcgan/list", "s3://b/f*", "/dcgan/f.zip")
    arguments = [part for source in sources for part in ("--images", source)]
    done = dcgan("compile", "-o", path, "--set", "cluster.registry=r.io", *arguments)
    assert done.err.count("warning: whether the pods may read s3://b/f*") == 1
    spec = next(yaml.safe_load_all(path.read_text()))
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["images"]["defaultValue"].split("\n") == list(sources)


@pytest.mark.parametrize("bucket", ["gs://faces/all", "s3://faces/all"])
def test_a_bucket_is_only_warned_of(dcgan, tmp_path, bucket):
    path = tmp_path / "x.yaml"
    arguments = ["--set", "cluster.registry=r.io", "--images", bucket]
    done = dcgan("compile", "-o", path, *arguments)
    assert f"warning: whether the pods may read {bucket}" in done.err
    assert bucket in path.read_text()


def test_a_file_that_cannot_be_written_is_one_line(dcgan, tmp_path):
    arguments = ["--set", "cluster.registry=r.io", "--images", "/dcgan/p"]
    done = dcgan("compile", "-o", tmp_path / "no" / "x.yaml", *arguments, code=2)
    assert "cannot write there (No such file or directory)" in done.err
