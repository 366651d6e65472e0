"""What a local run would do, found out before it does anything.

kfp itself walks the DAG and asks its cache, each as in a run; where it would run a task, it is
given instead what that task would give: as much as is known of it.
"""

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from components.evaluate.config import EvaluateConfig
from components.evaluate.enough import refuse_too_few as refuse_too_few_to_score
from components.ingest.config import IngestConfig
from components.ingest.fingerprint import CACHE as FINGERPRINTS
from components.ingest.fingerprint import champion, fingerprint
from components.ingest.refusals import list_pictures
from components.ingest.sources import open_source
from components.shared.buckets import is_remote
from components.shared.contracts import MANIFEST
from components.shared.errors import PipelineError, one_line
from components.shared.files import read_json
from components.shared.process import LogLine, storage_error
from components.train.checkpoint_root import foresee as foresee_training
from components.train.checkpoint_root import identity_of, last_epoch, steps_of_epoch
from components.train.config import TrainConfig
from components.transform.config import TransformConfig
from components.transform.enough import refuse_too_few as refuse_too_few_to_train_on
from pipeline.config import PipelineConfig
from pipeline.container_images import ContainerImages
from pipeline.enough_pictures import NO_PICTURES, in_words
from pipeline.local import CACHE, CHECKPOINTS, dag_arguments, refuse_early
from pipeline.results import TASKS

# Address of what a task would make, which a run puts into a new folder: no task that takes it
# can have been cached.
_NEW = "new:"
CACHED = "cached"


class TaskForecast(NamedTuple):
    """What a run would do with one task."""

    name: str
    does: str
    note: str


class Forecast(NamedTuple):
    """What a run would do."""

    tasks: list[TaskForecast]
    not_blessed: str | None  # why, where it is known that no model would be


def foresee(
    config: PipelineConfig,
    runs_dir: Path,
    publish_root: str,
    show: Callable[[LogLine], None],
    containers: ContainerImages | None = None,
) -> Forecast:
    """Say what `run_locally` would do with each task; nothing runs, and nothing is left behind.

    Pictures that no run has seen are read, as `fingerprint` would read them, and not decoded.

    Args:
        config: As for `run_locally`.
        runs_dir: As for `run_locally`.
        publish_root: As for `run_locally`.
        show: Called with each line that a run would say before its first task.
        containers: As for `run_locally`; no image is pulled.

    Raises:
        PipelineError: The run would be refused, as far as that can be known; says what it
            would say.
    """
    folders = [runs_dir] if is_remote(publish_root) else [runs_dir, Path(publish_root)]
    with _new_folders_removed(*folders), tempfile.TemporaryDirectory() as aside:
        engine = refuse_early(config, runs_dir, publish_root, show, containers, False)
        # What reads these writes to them, too. Names with a dot in front are being written.
        being_written = shutil.ignore_patterns(".*")
        for folder in (CACHE, f"{CHECKPOINTS}/{FINGERPRINTS}"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copytree(runs_dir / folder, Path(aside, folder), ignore=being_written)
        walk = _Walk(Path(aside))
        arguments = dag_arguments(config, runs_dir, publish_root)
        outputs = walk.through(arguments, engine.images.place if engine else None)
        verdict = outputs["comparison"]
        judged = {} if _is_new(verdict) else read_json(Path(verdict.path))
        return Forecast(
            [walk.forecast(task, judged) for task in TASKS],
            None if judged.get("blessed", True) else judged["reason"],
        )


class _Walk:
    """Goes through the DAG and notes which tasks kfp would run."""

    def __init__(self, aside: Path) -> None:
        self._aside = aside  # has copies of the caches, for kfp to write to
        self._would_run: dict[str, str] = {}  # task → note
        self._causes: dict[str, set[str]] = {}  # such a task → those that it runs because of

    def through(
        self, arguments: dict[str, Any], place: Callable[[Any, str], None] | None
    ) -> dict[str, Any]:
        """Give the DAG's outputs."""
        from kfp import local
        from kfp.local import task_dispatcher

        from pipeline.dag import make_dag

        local.init(
            local.SubprocessRunner(use_venv=False),
            pipeline_root=str(self._aside),
            enable_caching=True,
            cache_root=str(self._aside / CACHE),
        )
        dag = make_dag(place) if place else make_dag()
        usual = task_dispatcher.run_single_task_implementation
        task_dispatcher.run_single_task_implementation = self._stand_in
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return dict(dag(**arguments).outputs)
        finally:
            task_dispatcher.run_single_task_implementation = usual

    def forecast(self, task: str, judged: dict[str, Any]) -> TaskForecast:
        """Say what was found out of one task, once the whole DAG is walked."""
        if task not in self._would_run:
            if task == "publish":
                return TaskForecast(task, "not run", f"not blessed: {judged['reason']}")
            return TaskForecast(task, CACHED, "")
        if task == "publish" and not judged:
            return TaskForecast(task, "may run", "if compare finds the model good enough")
        return TaskForecast(task, "runs", self._would_run[task])

    def _stand_in(
        self, component_name: str, component_spec: Any, arguments: dict[str, Any], **_: Any
    ) -> tuple[dict[str, Any], Any]:
        """Give what a task would give, instead of running it."""
        from kfp import dsl
        from kfp.local import status

        task = component_name.removeprefix("comp-")
        self._would_run[task] = self._why(task, arguments)
        outputs: dict[str, Any] = {
            name: dsl.Artifact(name=name, uri=f"{_NEW}{task}/{name}", metadata={})
            for name in component_spec.output_definitions.artifacts
        }
        with _in_the_words_of(task):
            if task == "fingerprint":
                outputs.update(self._fingerprint(**arguments))
            elif task == "compare":
                outputs["Output"] = True  # so that publish is walked to
            elif task == "train":
                self._would_run[task] += f"; {_foresee_training(**arguments)}"
            elif task in {"transform", "validate"} and not _is_new(arguments["records"]):
                _refuse_too_few(task, **arguments)
            elif task == "ingest":
                self._would_run[task] += f"; {_foresee_ingest(**arguments)}"
            elif task == "validate":  # pictures tell, which no run has read
                self._would_run[task] += "; it finds out whether enough are held out"
        return outputs, status.Status.SUCCESS

    def _why(self, task: str, arguments: dict[str, Any]) -> str:
        makers = [value.uri.removeprefix(_NEW).partition("/")[0]
                  for value in arguments.values() if _is_new(value)]  # fmt: skip
        causes = {cause for maker in makers for cause in self._causes[maker]}
        self._causes[task] = causes or {task}
        if task == "fingerprint":
            return "always: it looks whether pictures or the published model changed"
        if task == "publish":
            return "always: it does nothing where that model is published"
        if causes:
            return f"because of {' and '.join(name for name in TASKS if name in causes)}"
        told = "code, inputs and published model" if "champion" in arguments else "code and inputs"
        return f"not done yet with these settings, {told}"

    def _fingerprint(
        self,
        images: str,
        publish_root: str,
        paranoid: bool,
        export_config: dict[str, Any],
        **_: Any,
    ) -> dict[str, str]:
        cache = self._aside / CHECKPOINTS / FINGERPRINTS
        return {
            "source": fingerprint(images, cache, paranoid),
            "champion": champion(publish_root, export_config),
        }


def _foresee_ingest(images: str, config: dict[str, Any], **_: Any) -> str:
    with open_source(images) as source:
        if source.in_order:  # to list it costs as much as to read it
            return "it finds out how many pictures there are"
        listing = list_pictures(images, source, IngestConfig(**config))
    unusable = [file for file in listing.other if file.reason not in NO_PICTURES]
    but = f" ({in_words(unusable)})" if unusable else ""
    of = f" of {len(listing.classes):,} classes" if listing.classes else ""
    return f"it finds out how many of {len(listing.pictures):,} files{of} are sound pictures{but}"


def _refuse_too_few(task: str, records: Any, config: dict[str, Any], **_: Any) -> None:
    counts = read_json(Path(records.path, MANIFEST))["counts"]
    if task == "transform":
        refuse_too_few_to_train_on(counts, TransformConfig(**config))
    else:
        refuse_too_few_to_score(counts, EvaluateConfig(**config))


def _foresee_training(
    records: Any, checkpoint_root: str, code_version: str, config: dict[str, Any], **_: Any
) -> str:
    if _is_new(records):
        return "from a checkpoint or not, depending on what ingest makes"
    manifest, settings = read_json(Path(records.path, MANIFEST)), TrainConfig(**config)
    steps = steps_of_epoch(manifest["counts"], settings)
    identity = identity_of(manifest["digest"], code_version, settings)
    found = foresee_training(Path(checkpoint_root), identity, settings, steps)
    end = steps * (settings.epochs if found.anew else last_epoch(found.own.state, settings))
    if not found.first_step:
        return f"from the start, to step {end:,} at most"
    if found.first_step == end:
        return f"already trained to step {end:,}"
    return f"goes on from step {found.first_step:,} of {end:,} at most"


def _is_new(value: Any) -> bool:
    return str(getattr(value, "uri", "")).startswith(_NEW)


@contextlib.contextmanager
def _in_the_words_of(task: str) -> Iterator[None]:
    """Have a refusal read, and count, as that of the task's own process."""
    try:
        yield
    except Exception as error:
        known = error if isinstance(error, PipelineError) else storage_error(error)
        if known is None:
            raise
        refusal = PipelineError(f"{task}: {one_line(known)}")
        refusal.exit_code = known.exit_code
        raise refusal from None


@contextlib.contextmanager
def _new_folders_removed(*folders: Path) -> Iterator[None]:
    """Remove those of these folders, and of those around them, that the block made."""
    paths = {path for folder in folders for path in (folder, *folder.parents)}
    missing = [path for path in paths if not os.path.lexists(path)]
    try:
        yield
    finally:
        for path in sorted(missing, reverse=True):  # what is within comes first
            with contextlib.suppress(OSError):  # none was made, or another run uses it by now
                path.rmdir()
