"""Export, publish, collect and notify as Kubeflow components."""

from kfp import dsl

from components.shared.images import image


@dsl.component(base_image=image("export"), install_kfp_package=False)
def export(
    code_version: str,
    config: dict,
    training: dsl.Input[dsl.Artifact],
    evaluation: dsl.Input[dsl.Artifact],
    model: dsl.Output[dsl.Model],
    gif: dsl.Output[dsl.Artifact],
):
    """Make the GIFs and the SavedModel to serve.

    Args:
        code_version: Digest of this step's code; another value runs this step again.
        config: ExportConfig as JSON.
        training: From train.
        evaluation: From evaluate.
        model: SavedModel, Keras file and GIFs.
        gif: The GIF of the training once more, as a file of its own.
    """
    from components.shared.process import task_process

    with task_process("export") as process:
        import shutil
        from pathlib import Path

        from components.export.config import ExportConfig
        from components.export.step import export
        from components.shared.contracts import GIF

        process.imported()
        folders = Path(training.path), Path(evaluation.path), Path(model.path)
        info = export(*folders, ExportConfig(**config))
        model.metadata.update(digest=info["digest"], epoch=info["scores"]["epoch"])
        shutil.copy(Path(model.path, GIF), gif.path)


@dsl.component(base_image=image("export"), install_kfp_package=False)
def publish(
    publish_root: str,
    code_version: str,
    export_config: dict,
    model: dsl.Input[dsl.Model],
    validation: dsl.Input[dsl.Artifact],
    evaluation: dsl.Input[dsl.Artifact],
    comparison: dsl.Input[dsl.Metrics],
    card: dsl.Input[dsl.Markdown],
) -> str:
    """Copy a blessed model to the next version under the publish root; gives its address.

    Args:
        publish_root: Folder, gs://… or s3://… that model servers watch.
        code_version: Digest of this step's code.
        export_config: ExportConfig as JSON, which says how many versions stay.
        model: From export.
        validation: From validate; what the model's pictures are.
        evaluation: From evaluate; features of those held out.
        comparison: From compare; the verdict, and the published model it was judged against.
        card: From report.
    """
    from components.shared.process import task_process

    with task_process("publish") as process:
        from pathlib import Path

        from components.export.config import ExportConfig
        from components.export.publish import publish
        from components.shared.contracts import DATA, MODEL_CARD, REAL_FEATURES
        from components.shared.files import read_json

        process.imported()
        beside = {
            MODEL_CARD: Path(card.path),
            DATA: Path(validation.path, DATA),
            REAL_FEATURES: Path(evaluation.path, REAL_FEATURES),
        }
        judged = read_json(Path(comparison.path))
        kept = ExportConfig(**export_config).versions_kept
        return publish(Path(model.path), publish_root, judged, beside, versions_kept=kept)


@dsl.component(base_image=image("export"), install_kfp_package=False)
def collect(
    report: dsl.Input[dsl.HTML], gif: dsl.Input[dsl.Artifact], metrics: dsl.Input[dsl.Metrics]
):
    """Log where report, GIF and metrics are, which Kubeflow's API does not say.

    Args:
        report: From report.
        gif: From export.
        metrics: From evaluate.
    """
    from components.shared.process import task_process

    with task_process("collect") as process:
        import logging

        process.imported()
        for name, artifact in {"report": report, "gif": gif, "metrics": metrics}.items():
            logging.getLogger("dcgan.collect").info("%s %s", name, artifact.uri)


@dsl.component(base_image=image("export"), install_kfp_package=False)
def notify(status: dsl.PipelineTaskFinalStatus, run_id: str, ui_host: str, api_host: str):
    """Tell a webhook when the run failed; its address is in $DCGAN_WEBHOOK_URL.

    Args:
        status: How the run ended.
        run_id: Id of the run.
        ui_host: Address of Kubeflow's pages, for a link to the run; may be empty.
        api_host: Address of Kubeflow's API inside the cluster; may be empty.
    """
    from components.shared.process import task_process

    with task_process("notify") as process:
        from components.export.notify import notify

        process.imported()
        notify(
            status.state or "", run_id, status.pipeline_job_resource_name or "",
            ui_host, status.error_message or "", api_host,
        )  # fmt: skip
