"""The DAG, and where a webhook is to be told of failures, the exit handler around it."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from kfp import dsl

from components.evaluate.component import compare, evaluate, report, validate
from components.evaluate.config import EvaluateConfig
from components.export.component import collect, export, notify, publish
from components.export.config import ExportConfig
from components.ingest.component import fingerprint, ingest
from components.ingest.config import IngestConfig
from components.shared.step_config import StepConfig
from components.train.component import train
from components.train.config import TrainConfig
from components.transform.component import transform
from components.transform.config import TransformConfig
from pipeline.code_version import code_version


def _defaults(config: type[StepConfig]) -> dict[str, Any]:
    return config().model_dump(mode="json")


class Outputs(NamedTuple):
    """What a run gives back."""

    records: dsl.Dataset
    validation: dsl.Artifact
    training: dsl.Artifact
    evaluation: dsl.Artifact
    report: dsl.HTML
    card: dsl.Markdown
    model: dsl.Model
    comparison: dsl.Metrics


def make_dag(
    place: Callable[[dsl.PipelineTask, str], None] = lambda task, step: None,
    notify_from: str | None = None,
    api_host: str = "",
    collect_results: bool = False,
) -> Any:
    """The pipeline `dcgan`.

    Args:
        place: Called with each task and the step whose room it is from; says where and in
            which image it runs. A local subprocess needs none.
        notify_from: Address of Kubeflow's pages, or an empty text: end with a task that tells
            a webhook of a failure, with a link to there. The pipeline then gives nothing back:
            kfp returns no outputs from within an exit handler.
        api_host: Address of Kubeflow's API inside the cluster, which that task asks how the run
            ended; an empty text asks nobody.
        collect_results: Add a task that logs where the run's results are.
    """

    def dcgan(  # noqa: PLR0913, PLR0917  # they are what a person sees on Kubeflow's pages
        images: str,
        publish_root: str,
        checkpoint_root: str,
        paranoid: bool = False,
        ingest_config: dict = _defaults(IngestConfig),  # noqa: B008
        transform_config: dict = _defaults(TransformConfig),  # noqa: B008
        train_config: dict = _defaults(TrainConfig),  # noqa: B008
        evaluate_config: dict = _defaults(EvaluateConfig),  # noqa: B008
        export_config: dict = _defaults(ExportConfig),  # noqa: B008
    ) -> Outputs:
        """Train a generator on pictures; publish it if it is better than the published one."""
        seen = fingerprint(
            images=images,
            publish_root=publish_root,
            checkpoint_root=checkpoint_root,
            paranoid=paranoid,
            code_version=code_version("ingest"),
            train_config=train_config,
            export_config=export_config,
        )
        # It answers what the outside world looks like now, so it always runs.
        seen.set_caching_options(False)
        ingested = ingest(
            images=images,
            source_digest=seen.outputs["source"],
            code_version=code_version("ingest"),
            config=ingest_config,
        )
        transformed = transform(
            records=ingested.outputs["records"],
            code_version=code_version("transform"),
            config=transform_config,
        )
        validated = validate(
            records=ingested.outputs["records"],
            transform_graph=transformed.outputs["transform_graph"],
            publish_root=publish_root,
            champion=seen.outputs["champion"],
            code_version=code_version("evaluate"),
            config=evaluate_config,
            export_config=export_config,
        )
        trained = train(
            records=ingested.outputs["records"],
            transform_graph=transformed.outputs["transform_graph"],
            checkpoint_root=checkpoint_root,
            code_version=code_version("train"),
            config=train_config,
        )
        # So that what validate refuses is refused before hours of training, not beside them.
        trained.after(validated)
        evaluated = evaluate(
            records=ingested.outputs["records"],
            training=trained.outputs["training"],
            checkpoint_root=checkpoint_root,
            code_version=code_version("evaluate"),
            config=evaluate_config,
        )
        exported = export(
            training=trained.outputs["training"],
            evaluation=evaluated.outputs["evaluation"],
            code_version=code_version("export"),
            config=export_config,
        )
        compared = compare(
            records=ingested.outputs["records"],
            evaluation=evaluated.outputs["evaluation"],
            model=exported.outputs["model"],
            publish_root=publish_root,
            checkpoint_root=checkpoint_root,
            champion=seen.outputs["champion"],
            code_version=code_version("evaluate"),
            config=evaluate_config,
        )
        reported = report(
            records=ingested.outputs["records"],
            validation=validated.outputs["validation"],
            training=trained.outputs["training"],
            evaluation=evaluated.outputs["evaluation"],
            model=exported.outputs["model"],
            comparison=compared.outputs["comparison"],
            code_version=code_version("evaluate"),
        )
        with dsl.If(compared.outputs["Output"] == True, name="better"):  # noqa: E712
            published = publish(
                model=exported.outputs["model"],
                validation=validated.outputs["validation"],
                evaluation=evaluated.outputs["evaluation"],
                comparison=compared.outputs["comparison"],
                card=reported.outputs["card"],
                publish_root=publish_root,
                export_config=export_config,
                code_version=code_version("export"),
            )
            published.set_caching_options(False)  # does nothing when the model is there
        for task, step in (
            (seen, "ingest"),
            (ingested, "ingest"),
            (transformed, "transform"),
            (validated, "evaluate"),
            (trained, "train"),
            (evaluated, "evaluate"),
            (exported, "export"),
            (compared, "evaluate"),
            (reported, "evaluate"),
            (published, "export"),
        ):
            place(task, step)
        if collect_results:
            collected = collect(
                report=reported.outputs["report"],
                gif=exported.outputs["gif"],
                metrics=evaluated.outputs["metrics"],
            )
            collected.set_caching_options(False)  # each run has a log of its own
            place(collected, "export")
        return Outputs(
            records=ingested.outputs["records"],
            validation=validated.outputs["validation"],
            training=trained.outputs["training"],
            evaluation=evaluated.outputs["evaluation"],
            report=reported.outputs["report"],
            card=reported.outputs["card"],
            model=exported.outputs["model"],
            comparison=compared.outputs["comparison"],
        )

    pipeline = dsl.pipeline(
        name="dcgan", description="Pictures → DCGAN → evidence → a model to serve."
    )
    if notify_from is None:
        return pipeline(dcgan)
    return pipeline(_with_exit_handler(dcgan, place, notify_from, api_host))


def _with_exit_handler(
    dag: Callable[..., Outputs],
    place: Callable[[dsl.PipelineTask, str], None],
    ui_host: str,
    api_host: str,
) -> Callable[..., None]:
    @functools.wraps(dag)
    def with_exit_handler(*args: Any, **kwargs: Any) -> None:
        told = notify(run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER, ui_host=ui_host, api_host=api_host)
        # A run that is retried keeps its id, and may fail again.
        told.set_caching_options(False)
        place(told, "export")
        with dsl.ExitHandler(told, name="run"):
            dag(*args, **kwargs)

    signature = inspect.signature(dag).replace(return_annotation=inspect.Signature.empty)
    with_exit_handler.__signature__ = signature  # type: ignore[attr-defined]
    return with_exit_handler
