"""The DAG as a file for Kubeflow: images, resources, storage and secrets of each task."""

import hashlib
import tempfile
import warnings
from pathlib import Path
from typing import NamedTuple

from kfp import compiler, dsl, kubernetes

from components.export.notify import WEBHOOK_VARIABLE
from components.ingest.addresses import addresses
from components.shared.contracts import STEPS
from components.shared.errors import UsageError
from components.shared.restarts import RESTARTS_VARIABLE
from pipeline.cluster.config import CLAIMED_USER, PodConfig, TrainPod
from pipeline.config import DEMO, PipelineConfig
from pipeline.container_images import ContainerImages
from pipeline.dag import make_dag

PIPELINE = "dcgan"

# What reads or writes outside of Kubeflow: pictures, checkpoints, features, published models; and
# transform where Beam's workers are elsewhere.
_OUTSIDE = {"fingerprint", "ingest", "validate", "train", "evaluate", "compare", "publish"}
# What decodes no picture and computes nothing.
_LIGHT_POD = PodConfig(cpu="500m", memory="1Gi", timeout_minutes=30)
# The run shows as running until it has ended, also where its pod cannot begin, for want of the
# secret; time is for pulling the image. It posts again by itself, and twice told is once too much.
_NOTIFY_POD = _LIGHT_POD.model_copy(update={"timeout_minutes": 10, "restarts": 0})
FIXED_PODS = dict.fromkeys(("fingerprint", "publish", "collect"), _LIGHT_POD) | {
    "notify": _NOTIFY_POD
}
_BACK_OFF = {"backoff_duration": "30s", "backoff_factor": 2.0, "backoff_max_duration": "1800s"}


class CompiledPipeline(NamedTuple):
    """A pipeline as Kubeflow takes it.

    Attributes:
        text: YAML: the pipeline's specification and, after `---`, what is Kubernetes' own.
    """

    text: str

    @property
    def name(self) -> str:
        """Name of this version of the pipeline: another text has another."""
        return f"{PIPELINE}-{hashlib.sha256(self.text.encode()).hexdigest()[:12]}"


def compile_pipeline(config: PipelineConfig) -> CompiledPipeline:
    """Compile the DAG; the same configuration and code always give the same text.

    The configuration's values are the defaults of the pipeline's parameters, so that a run
    started from Kubeflow's own pages has the same ones as one that is submitted.
    """
    cluster = config.cluster
    # Not cluster.host, which may be a port-forward of whoever compiles.
    notify_from = cluster.ui_host if cluster.webhook_secret else None
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # kfp speaks of its next version.
        warnings.simplefilter("ignore", FutureWarning)
        path = Path(folder, "dcgan.yaml")
        compiler.Compiler().compile(
            make_dag(_Placement(config).place, notify_from, cluster.api_host, collect_results=True),
            str(path),
            pipeline_name=PIPELINE,
            pipeline_parameters=run_parameters(config),
        )
        text = path.read_text(encoding="utf-8")
    # kfp begins with comments that list the parameters, in another order each time, and with
    # a default of several lines they are no comments.
    return CompiledPipeline(text[text.index("\ncomponents:\n") + 1 :])


def run_parameters(config: PipelineConfig) -> dict[str, object]:
    """Values of the pipeline's parameters."""
    values = config.model_dump(mode="json")
    return {
        "images": source_of(config),
        "publish_root": config.cluster.published,
        "checkpoint_root": config.cluster.checkpoint_root,
        "paranoid": config.paranoid,
        **{f"{section}_config": values[section] for section in STEPS},
    }


def images_of(config: PipelineConfig) -> dict[str, str]:
    """Full image reference of each step."""
    cluster = config.cluster
    built = ContainerImages(cluster.registry, cluster.tag, "gpu" if cluster.train.gpus else "cpu")
    return {step: built.reference(step) for step in STEPS} | dict(cluster.images)


def source_of(config: PipelineConfig) -> str:
    """The pictures as the tasks name them."""
    named = addresses(config.images or "")
    if named in ([], [DEMO]):
        raise UsageError(
            f"no pictures named that a cluster could read: copy them to the claim "
            f"{config.cluster.claim} and pass --images {config.cluster.mount_path}/…, or the "
            "address of a bucket"
        )
    for address in named:
        if not address.isprintable():
            raise UsageError(f"--images {address!r}: holds what no YAML can")
    return "\n".join(named)


class _Placement:
    """Says of each task in which image it runs, what it asks for and what it sees."""

    def __init__(self, config: PipelineConfig) -> None:
        self._cluster = config.cluster
        self._images = images_of(config)
        far = bool(config.transform.staging or config.transform.beam_options)
        self._outside = _OUTSIDE | {"transform"} if far else _OUTSIDE

    def place(self, task: dsl.PipelineTask, step: str) -> None:
        pod: PodConfig = FIXED_PODS.get(task.name) or getattr(self._cluster, step)
        task.set_container_image(self._images[step])
        self._ask(task, pod)
        self._choose_node(task, pod)
        kubernetes.set_security_context(
            task, run_as_user=CLAIMED_USER, run_as_group=CLAIMED_USER, run_as_non_root=True
        )
        if self._cluster.image_pull_secrets:
            kubernetes.set_image_pull_secrets(task, list(self._cluster.image_pull_secrets))
        if task.name in self._outside:
            self._connect(task)
        if task.name == "notify":
            kubernetes.use_secret_as_env(
                task, self._cluster.webhook_secret, {"url": WEBHOOK_VARIABLE}
            )

    def _ask(self, task: dsl.PipelineTask, pod: PodConfig) -> None:
        task.set_cpu_request(pod.cpu)
        task.set_memory_request(pod.memory)
        task.set_memory_limit(pod.memory)
        kubernetes.set_timeout(task, 60 * pod.timeout_minutes)
        if pod.restarts:
            task.set_env_variable(RESTARTS_VARIABLE, str(pod.restarts))
        if pod.retries:
            task.set_retry(pod.retries, **_BACK_OFF)
        if isinstance(pod, TrainPod):
            if pod.gpus:
                task.set_accelerator_type(pod.gpu_type)
                task.set_accelerator_limit(pod.gpus)
            if pod.shared_memory:
                kubernetes.empty_dir_mount(
                    task, "shared-memory", "/dev/shm", medium="Memory",
                    size_limit=pod.shared_memory,
                )  # fmt: skip

    def _choose_node(self, task: dsl.PipelineTask, pod: PodConfig) -> None:
        for label, value in pod.node_selector.items():
            kubernetes.add_node_selector(task, label, value)
        for taint in pod.tolerations:
            kubernetes.add_toleration(
                task, taint.key, taint.operator, taint.value or None, taint.effect or None
            )

    def _connect(self, task: dsl.PipelineTask) -> None:
        # A constant name, outside of the task's inputs: the task can be a cache hit.
        kubernetes.mount_pvc(task, self._cluster.claim, self._cluster.mount_path)
        for secret in self._cluster.secrets:
            if secret.env:
                kubernetes.use_secret_as_env(task, secret.name, secret.env)
            else:
                kubernetes.use_secret_as_volume(task, secret.name, secret.mount_path)
