"""The steps in containers, by kfp's Docker runner, of which none passes that failed."""

import codecs
import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.images import Image
from docker.types import DeviceRequest, LogConfig, Mount
from kfp import local
from kfp.local import docker_task_handler

from components.shared.contracts import STEPS
from components.shared.errors import UsageError, one_line
from components.shared.process import PARENT_LOCK_VARIABLE, LogLine
from pipeline.bucket_credentials import bucket_credentials, files_of
from pipeline.container_images import ContainerImages
from pipeline.task_folders import is_locked

_LOCK_LABEL = "dcgan-pipeline.lock"  # of a container: the file that its run holds locked
_VERSION_LABEL = "org.opencontainers.image.version"
_SECONDS_TO_STOP = 30  # for a training to end its step and write a checkpoint
_ALL_GPUS = DeviceRequest(count=-1, capabilities=[["gpu"]])


class DockerEngine:
    """The Docker engine of this machine, ready to run the steps in their images."""

    def __init__(
        self,
        images: ContainerImages,
        runs_dir: Path,
        show: Callable[[LogLine], None],
        pull: bool = True,
    ) -> None:
        """Choose the images for a GPU where there is one; UsageError for what is missing.

        Without `pull`, what a registry may have is taken to be there.
        """
        if ":" in str(runs_dir):
            raise UsageError(f"--runs-dir {runs_dir}: Docker cannot mount a path with a colon")
        self.client = _connect()
        self.gpu = _has_gpu(self.client)
        self.images = images._replace(accelerator="gpu" if self.gpu else "cpu")
        self._show = show
        self._label = ""
        for step in STEPS:
            self._check_image(step, pull)

    def runner(
        self, lock: Path, read: Sequence[Path], write: Sequence[Path], in_buckets: bool = False
    ) -> local.DockerRunner:
        """Give kfp's runner for one run.

        Args:
            lock: File that the run holds locked while it lives.
            read: Files and folders that steps read, seen by them under the same path.
            write: Folders that steps write to, beside those that kfp makes.
            in_buckets: Whether steps use buckets, for which they get credentials.

        Raises:
            UsageError: What is to be read cannot be mounted, or a credentials' file is missing.
        """
        credentials = bucket_credentials(os.environ) if in_buckets else {}
        read = sorted({*read, *files_of(credentials)})
        if Path("/") in read:
            raise UsageError("Docker cannot mount /: name a folder in it as --images")
        self._label = f"{_LOCK_LABEL}={lock}"
        _remove_dead(self.client)
        docker_task_handler.run_docker_container = run_container
        return local.DockerRunner(
            user=f"{os.getuid()}:{os.getgid()}",  # the caller owns what the steps write
            group_add=os.getgroups(),
            read_only=True,
            security_opt=["no-new-privileges"],
            mounts=[
                *(Mount(str(path), str(path), "bind", read_only=True) for path in read),
                *(Mount(str(path), str(path), "bind") for path in write),
            ],
            environment={PARENT_LOCK_VARIABLE: str(lock), **credentials},
            labels={_LOCK_LABEL: str(lock)},
            log_config=LogConfig(type="json-file"),  # one that can be read as it is written
            device_requests=[_ALL_GPUS] if self.gpu else [],
        )

    def stop(self) -> None:
        """End the step that runs now, and let it save its state; the run sees it fail."""
        running = self.client.containers.list(filters={"label": self._label}, ignore_removed=True)
        for container in running:
            with contextlib.suppress(APIError):  # it ended by itself
                try:
                    # Process 1 is kfp's shell, which would pass no signal on.
                    container.exec_run(["sh", "-c", "kill -TERM -1"], detach=True)
                    container.wait(timeout=_SECONDS_TO_STOP)
                except (APIError, OSError):  # it is paused, or does not end in time
                    container.kill()

    def _check_image(self, step: str, pull: bool) -> None:
        """Have the step's image at hand, pulled if need be, and made from this very code."""
        reference = self.images.reference(step)
        build = "make images"
        for name in ("registry", "tag"):
            if value := getattr(self.images, name):
                build += f" {name.upper()}={value}"
        if self.images.accelerator != "cpu":
            build += f" ACCELERATOR={self.images.accelerator}"
        try:
            image = self.client.images.get(reference)
        except ImageNotFound:
            if not self.images.registry:
                raise UsageError(f"no image {reference}: run `{build}` first") from None
            if not pull:
                return
            image = self._pull(reference)
        except APIError as error:  # no name that Docker takes
            raise UsageError(f"image {reference}: {_explain(error)}") from None
        found, wanted = image.labels.get(_VERSION_LABEL), self.images.content_digest(step)
        if found != wanted:
            raise UsageError(
                f"image {reference} was made from other code ({found}) than this ({wanted}): "
                f"name another, or make it anew by `{build}`"
            )

    def _pull(self, reference: str) -> Image:
        self._show(LogLine("docker", f"pulling {reference}"))
        try:
            return self.client.images.pull(reference)
        except DockerException as error:
            raise UsageError(f"cannot pull {reference}: {_explain(error)}") from None


def _connect() -> docker.DockerClient:
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        raise UsageError(
            f"--runner docker: no Docker engine answers ({one_line(error)}): start one, or "
            "use --runner subprocess"
        ) from None
    return client


def _has_gpu(client: docker.DockerClient) -> bool:
    """Whether this machine has an NVIDIA GPU that the engine can hand to containers.

    An empty CUDA_VISIBLE_DEVICES hides it, as it does from TensorFlow.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}
    handed = "nvidia" in client.info().get("Runtimes", {})
    return handed and not hidden and Path("/dev/nvidiactl").exists()


def _explain(error: DockerException) -> str:
    """The engine's own words where it has some."""
    return one_line(getattr(error, "explanation", None) or error)


def _remove_dead(client: docker.DockerClient) -> None:
    """Remove what runs that were killed left; their steps ended with them."""
    left = {"label": _LOCK_LABEL, "status": ["created", "exited"]}
    for container in client.containers.list(all=True, filters=left, ignore_removed=True):
        if not is_locked(Path(container.labels[_LOCK_LABEL])):
            with contextlib.suppress(APIError):  # another run was quicker
                container.remove()


def run_container(
    client: docker.DockerClient,
    image: str,
    command: list[str],
    volumes: dict[str, Any],
    **options: Any,
) -> int:
    """Run one step, print what it says as it says it, and give its exit code.

    Stands in for kfp 2.17.0's function, which has the engine remove the container at its
    end, and takes one that is gone before it was asked for its exit code for a success
    (kubeflow/pipelines#13332).
    """
    container = client.containers.create(image, command, volumes=volumes, **options)
    try:
        container.start()
        print(f"Container {container.short_id} of {image}")
        text = codecs.getincrementaldecoder("utf-8")("replace")  # a part may end within a sign
        for part in container.logs(stream=True, follow=True):
            print(text.decode(part), end="")
        return int(container.wait()["StatusCode"])
    finally:
        container.remove(force=True)
