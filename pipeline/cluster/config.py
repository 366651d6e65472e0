"""Settings of a run on Kubeflow: the `cluster:` section of the configuration."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from components.shared.errors import UsageError
from components.shared.step_config import StepConfig

CLAIMED_USER = 10001  # who the images' steps are, so who owns what is on the claim

_KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
_OptionalName = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$")]
_Cpu = Annotated[str, Field(pattern=r"^([0-9]+m|[0-9]*\.?[0-9]+)$", description="Cores, e.g. 2.")]
_Memory = Annotated[
    str,
    Field(
        pattern=r"^[0-9]+(Mi|Gi|Ti|M|G|T)$",
        description="Requested, and the most it gets, e.g. 4Gi.",
    ),
]
_Minutes = Annotated[
    int, Field(ge=1, description="A pod that takes longer, restarts and all, has failed.")
]
_MountPath = Annotated[str, Field(pattern=r"^/[^:]+$")]


def refuse_password(address: str) -> None:
    """Raise UsageError, which does not show it, for an address with a password in it."""
    if "@" in address.partition("://")[2].partition("/")[0]:
        raise UsageError(
            "cluster.host, ui_host or api_host holds a name or password: leave it out, and put a "
            "token into $KFP_TOKEN"
        )


def _name_no_moving_image(reference: str) -> str:
    """Caches know an image by its name, so what the name means must never change."""
    name = reference.rpartition("/")[2]
    if "@sha256:" in reference or (":" in name and not name.endswith(":latest")):
        return reference
    raise ValueError("must end in a digest (@sha256:…) or in a tag that never moves (not :latest)")


def _name_no_moving_tag(tag: str) -> str:
    if tag == "latest":
        raise ValueError("must never move: caches take an image for the same while its name is")
    return tag


_Image = Annotated[str, AfterValidator(_name_no_moving_image)]
_Tag = Annotated[str, Field(pattern=r"^[\w.-]*$"), AfterValidator(_name_no_moving_tag)]


class Toleration(StepConfig):
    """Taint of a node that a step's pod puts up with."""

    key: str = Field(min_length=1)
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


class SecretConfig(StepConfig):
    """A secret of the namespace."""

    name: _KubernetesName
    env: dict[str, str] = Field({}, description="Key of the secret → environment variable.")
    mount_path: str = Field("", pattern=r"^(/[^:]+)?$", description="Folder for its keys as files.")

    @model_validator(mode="after")
    def _is_used(self) -> Self:
        if bool(self.env) == bool(self.mount_path):
            raise ValueError("give either `env` or `mount_path`")
        return self


class PodConfig(StepConfig):
    """What a step's pod asks for, and where it may run."""

    cpu: _Cpu = "1"
    memory: _Memory = "2Gi"
    timeout_minutes: _Minutes = 60
    restarts: int = Field(
        2, ge=0, le=20, description="Times that a step which crashed begins again in its pod."
    )
    retries: int = Field(
        0, ge=0, le=20,
        description="Further pods for one that is lost, before KFP 2.17.0 after any failure; 0 "
        "leaves that to the server.",
    )  # fmt: skip
    node_selector: dict[str, str] = Field({}, description="Labels of nodes that will do.")
    tolerations: tuple[Toleration, ...] = Field(
        (), description="Taints of nodes that it puts up with."
    )


class IngestPod(PodConfig):
    """Decodes in one process, by a thread for each core of its node."""

    cpu: _Cpu = "2"
    memory: _Memory = "4Gi"
    timeout_minutes: _Minutes = 240


class TransformPod(PodConfig):
    """Statistics over all pictures."""

    memory: _Memory = "4Gi"


class TrainPod(PodConfig):
    """The one step that a GPU is asked for."""

    cpu: _Cpu = "4"
    memory: _Memory = "8Gi"
    timeout_minutes: _Minutes = 24 * 60
    restarts: int = Field(
        3, ge=0, le=20,
        description="Times that a crashed training begins again in its pod, each from its last "
        "checkpoint.",
    )  # fmt: skip
    gpus: int = Field(1, ge=0, le=16, description="0 trains on the CPU, in the image for it.")
    gpu_type: str = Field("nvidia.com/gpu", min_length=1, description="Resource of the node.")
    shared_memory: str = Field(
        "1Gi", pattern=r"^([0-9]+(Mi|Gi|Ti))?$", description="Size of /dev/shm, out of `memory`."
    )


class EvaluatePod(PodConfig):
    """Features of thousands of pictures, on the CPU."""

    cpu: _Cpu = "2"
    memory: _Memory = "4Gi"


class ExportPod(PodConfig):
    """GIF and SavedModel."""


class ClusterConfig(StepConfig):
    """Server, images, storage and pods of a run on Kubeflow.

    Tokens and cookies are no configuration: they come from files named here or from the
    environment (`KFP_TOKEN`, `KFP_COOKIES`), and are in no YAML, log or error.
    """

    host: str = Field("", description="Address of the KFP API or UI; else $KFP_ENDPOINT.")
    ui_host: str = Field(
        "", description="Of the pages, for links; also in what the webhook is told."
    )
    api_host: str = Field(
        "http://ml-pipeline.kubeflow:8888",
        description="Of the KFP API as pods reach it; `notify` asks there how the run ended. Empty "
        "asks nobody.",
    )
    namespace: str = Field("", description="The user's, on a multi-user Kubeflow.")
    token_file: str = Field("", description="Bearer token, read anew at each request.")
    cookies_file: str = Field("", description="Value of the Cookie header.")
    ca_file: str = Field("", description="Certificates to trust, PEM.")
    client_certificate_file: str = Field("", description="For mutual TLS, PEM.")
    client_key_file: str = Field("", description="Its key, PEM.")

    experiment: str = Field("dcgan", min_length=1, description="That its runs are listed under.")
    pipeline_root: str = Field("", description="Where artifacts go; else the server's choice.")
    service_account: _OptionalName = Field("", description="Of the pods; else the server's.")

    registry: str = Field("", description="Of the images, as given to `make images`.")
    tag: _Tag = Field("", description="Else each image's content digest.")
    images: dict[Literal["ingest", "transform", "train", "evaluate", "export"], _Image] = Field(
        {}, description="Full references that replace registry and tag."
    )
    image_pull_secrets: tuple[_KubernetesName, ...] = Field(
        (), description="Secrets with which the nodes may pull the images.", examples=["regcred"]
    )

    claim: _KubernetesName = Field("dcgan", description="PersistentVolumeClaim that outlives runs.")
    mount_path: _MountPath = Field("/dcgan", description="Where tasks see it.")
    publish_root: str = Field(
        "",
        pattern=r"^((/|gs://[^/]|s3://[^/]).*)?$",
        description="Folder on the claim, gs://… or s3://…; else `published` on the claim.",
    )
    secrets: tuple[SecretConfig, ...] = Field(
        (),
        description="For the tasks that read or write outside of Kubeflow: all but report, "
        "export and, where Beam works in its pod, transform.",
    )
    webhook_secret: _OptionalName = Field(
        "", description="Its key `url` is told of runs that fail; empty tells nobody."
    )

    ingest: IngestPod = IngestPod()
    transform: TransformPod = TransformPod()
    train: TrainPod = TrainPod()
    evaluate: EvaluatePod = EvaluatePod()
    export: ExportPod = ExportPod()

    @field_validator("host", "ui_host", "api_host")
    @classmethod
    def _holds_no_password(cls, address: str) -> str:
        refuse_password(address)
        return address

    @property
    def checkpoint_root(self) -> str:
        """Folder of all trainings' checkpoints, as the train step sees it."""
        return f"{self.mount_path}/checkpoints"

    @property
    def published(self) -> str:
        """Folder or address that blessed models go to, as the tasks see it."""
        return self.publish_root or f"{self.mount_path}/published"

    def on_claim(self, path: str) -> bool:
        """Whether tasks find a path on the claim."""
        return re.match(rf"{re.escape(self.mount_path.rstrip('/'))}(/|$)", path) is not None
