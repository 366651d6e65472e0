"""Starting a run on Kubeflow: check first, upload what is new, start once."""

import re
import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, TypeVar

from kfp_server_api import (
    V2beta1Experiment,
    V2beta1Pipeline,
    V2beta1PipelineVersion,
    V2beta1PipelineVersionReference,
    V2beta1Run,
    V2beta1RuntimeConfig,
)

from components.shared.errors import UsageError
from pipeline.cluster.compiling import (
    PIPELINE,
    CompiledPipeline,
    compile_pipeline,
    run_parameters,
)
from pipeline.cluster.server import KfpServer
from pipeline.config import PipelineConfig

_T = TypeVar("_T")


class Version(NamedTuple):
    """A version of the pipeline on the server."""

    pipeline_id: str
    version_id: str
    name: str
    is_new: bool

    @property
    def reference(self) -> V2beta1PipelineVersionReference:
        """It, as a run or a schedule names it."""
        return V2beta1PipelineVersionReference(self.pipeline_id, self.version_id)


class Submitted(NamedTuple):
    """A run on the server, and whether this command started it."""

    run: V2beta1Run
    version: Version
    is_new: bool


def check_server(server: KfpServer) -> list[str]:
    """Compare the server's version with the SDK's; gives warnings.

    Raises:
        UsageError: A server of another major version, which reads other pipelines.
    """
    sdk = metadata.version("kfp")
    found = re.match(r"v?(\d+)\.(\d+)", server.version)
    if not found:
        said = server.version or "nothing"
        return [f"{server.host} does not tell its version (it says {said}); this SDK is {sdk}"]
    theirs, ours = (int(found[1]), int(found[2])), tuple(map(int, sdk.split(".")[:2]))
    if theirs[0] != ours[0]:
        raise UsageError(
            f"{server.host} is Kubeflow Pipelines {server.version}, this SDK is {sdk}: use a "
            f"server of version {ours[0]}"
        )
    if theirs < ours:
        return [
            f"{server.host} is Kubeflow Pipelines {server.version}, older than this SDK "
            f"({sdk}): it may pass over settings that it does not know"
        ]
    return []


def find_version(server: KfpServer, compiled: CompiledPipeline) -> Version | None:
    """The version of this very text, where the server has it."""
    if (pipeline := _find_pipeline(server)) is None:
        return None
    found = _find_version(server, pipeline.pipeline_id, compiled)
    return found and Version(
        pipeline.pipeline_id, found.pipeline_version_id, compiled.name, is_new=False
    )


def upload(server: KfpServer, compiled: CompiledPipeline) -> Version:
    """Make the pipeline and the version where they are not there yet."""

    def find_pipeline() -> V2beta1Pipeline | None:
        return _find_pipeline(server)

    def make_pipeline() -> V2beta1Pipeline:
        wanted = V2beta1Pipeline(display_name=PIPELINE, **server.scope)
        create = server.pipelines.pipeline_service_create_pipeline
        return server.call(create, wanted, landed=find_pipeline)

    pipeline_id = _found_or_made(find_pipeline, make_pipeline)[0].pipeline_id

    def find() -> V2beta1PipelineVersion | None:
        return _find_version(server, pipeline_id, compiled)

    def make() -> V2beta1PipelineVersion:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"{compiled.name}.yaml")
            path.write_text(compiled.text, encoding="utf-8")
            return server.call(
                server.uploads.upload_pipeline_version, str(path),
                name=compiled.name, pipelineid=pipeline_id, landed=find,
            )  # fmt: skip

    version, is_new = _found_or_made(find, make)
    return Version(pipeline_id, version.pipeline_version_id, compiled.name, is_new)


def _find_pipeline(server: KfpServer) -> V2beta1Pipeline | None:
    listing = server.pipelines.pipeline_service_list_pipelines
    return next(server.named(listing, PIPELINE, **server.scope), None)


def _find_version(
    server: KfpServer, pipeline_id: str, compiled: CompiledPipeline
) -> V2beta1PipelineVersion | None:
    listing = server.pipelines.pipeline_service_list_pipeline_versions
    return next(server.named(listing, compiled.name, pipeline_id), None)


def find_experiment(server: KfpServer, name: str) -> V2beta1Experiment | None:
    """The experiment of this name."""
    listing = server.experiments.experiment_service_list_experiments
    return next(server.named(listing, name, **server.scope), None)


def experiment_id(server: KfpServer, name: str) -> str:
    """Id of the experiment of this name, which is made where there is none."""

    def find() -> V2beta1Experiment | None:
        return find_experiment(server, name)

    def make() -> V2beta1Experiment:
        wanted = V2beta1Experiment(display_name=name, **server.scope)
        create = server.experiments.experiment_service_create_experiment
        return server.call(create, wanted, landed=find)

    return str(_found_or_made(find, make)[0].experiment_id)


def _found_or_made(find: Callable[[], _T | None], make: Callable[[], _T]) -> tuple[_T, bool]:
    """What is there, else what `make` makes; and whether it is new."""
    if (found := find()) is not None:
        return found, False
    try:
        return make(), True
    except UsageError:  # refused, perhaps since another command was quicker
        if (found := find()) is None:
            raise
        return found, False


def run_name(prefix: str = PIPELINE) -> str:
    """A name that no other command gives: time and four random digits."""
    return f"{prefix}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def upload_and_start(config: PipelineConfig, server: KfpServer, name: str) -> Submitted:
    """Upload the pipeline's version where it is new, and start a run of it.

    Args:
        config: Resolved configuration, checked by `checks.check_config`.
        server: Where to.
        name: Of the run. One of this name in the experiment is not started again.

    Raises:
        UsageError: The server refuses, or has a run of this name that is of another version.
    """
    cluster = config.cluster
    version = upload(server, compile_pipeline(config))
    wanted = V2beta1Run(
        display_name=name,
        experiment_id=experiment_id(server, cluster.experiment),
        pipeline_version_reference=version.reference,
        runtime_config=runtime_config(config),
        service_account=cluster.service_account or None,
    )
    run, is_new = start_run(server, wanted)
    there = run.pipeline_version_reference
    if there and there.pipeline_version_id != version.version_id:
        raise UsageError(
            f"run {name} is there already, of other pictures, settings or code: choose another "
            f"--name; see {server.run_link(run.run_id)}"
        )
    return Submitted(run, version, is_new)


def runtime_config(config: PipelineConfig) -> V2beta1RuntimeConfig:
    """Parameters of a run, and where its artifacts go."""
    return V2beta1RuntimeConfig(
        parameters=run_parameters(config), pipeline_root=config.cluster.pipeline_root or None
    )


def start_run(server: KfpServer, wanted: V2beta1Run) -> tuple[V2beta1Run, bool]:
    """Start a run, unless its experiment has one of the same name.

    Kubeflow lets two runs have one name, so it is looked for before the first try and
    after each one whose answer was lost.

    Returns:
        The run, and whether this call started it.
    """

    def find() -> V2beta1Run | None:
        listing = server.runs.run_service_list_runs
        name, experiment = wanted.display_name, wanted.experiment_id
        return next(server.named(listing, name, experiment_id=experiment, **server.scope), None)

    create = server.runs.run_service_create_run
    return _found_or_made(find, lambda: server.call(create, wanted, landed=find))
