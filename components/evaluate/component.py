"""Validate, evaluate, report and compare as Kubeflow components."""

from kfp import dsl

from components.shared.images import image


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def validate(
    publish_root: str,
    champion: str,
    code_version: str,
    export_config: dict,
    records: dsl.Input[dsl.Dataset],
    transform_graph: dsl.Input[dsl.Artifact],
    validation: dsl.Output[dsl.Artifact],
    data_page: dsl.Output[dsl.HTML],
):
    """Show what the pictures are, and how they differ from the published model's.

    Args:
        publish_root: Folder, gs://… or s3://… that model servers watch.
        champion: What fingerprint saw there; another value runs this step again.
        code_version: Digest of this step's code; another value runs this step again.
        export_config: ExportConfig as JSON, which names the model.
        records: From ingest.
        transform_graph: From transform.
        validation: What the pictures are, and the difference.
        data_page: Both, as one self-contained HTML page.
    """
    from components.shared.process import step_process

    with step_process("validate") as process:
        from pathlib import Path

        from components.evaluate.data_section import write_data_page
        from components.evaluate.validate import validate
        from components.shared.contracts import MODEL_NAME
        from components.shared.published import home_of

        process.imported()
        home = home_of(publish_root, export_config.get("model_name", MODEL_NAME))
        pictures, described = Path(records.path), Path(validation.path)
        drift = validate(pictures, Path(transform_graph.path), home, described)
        write_data_page(Path(data_page.path), pictures, described)
        validation.metadata.update(drift=drift.sentence)


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def evaluate(
    code_version: str,
    config: dict,
    records: dsl.Input[dsl.Dataset],
    training: dsl.Input[dsl.Artifact],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
):
    """Score the last snapshots, pick the best, and say whether it is good enough.

    Args:
        code_version: Digest of this step's code; another value runs this step again.
        config: EvaluateConfig as JSON.
        records: From ingest.
        training: From train.
        evaluation: The best snapshot, its scores and samples.
        metrics: The best snapshot's scores.
    """
    from components.shared.process import step_process

    with step_process("evaluate") as process:
        import shutil
        from pathlib import Path

        from components.evaluate.config import EvaluateConfig
        from components.evaluate.step import evaluate
        from components.shared.contracts import SCORES

        process.imported()
        folders = Path(records.path), Path(training.path), Path(evaluation.path)
        scores = evaluate(*folders, EvaluateConfig(**config))
        finite = {key: value for key, value in scores["best"].items() if value is not None}
        metrics.metadata.update(finite)
        shutil.copy(Path(evaluation.path, SCORES), metrics.path)  # no file, no cache hit


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def report(
    code_version: str,
    records: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Artifact],
    training: dsl.Input[dsl.Artifact],
    evaluation: dsl.Input[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
):
    """Show how good the generator is, and what it was made from.

    It is a task of its own, since what it says of the published model's pictures changes
    where no score does.

    Args:
        code_version: Digest of this step's code; another value runs this step again.
        records: From ingest.
        validation: From validate.
        training: From train.
        evaluation: From evaluate.
        report: One self-contained HTML page.
    """
    from components.shared.process import step_process

    with step_process("report") as process:
        from pathlib import Path

        from components.evaluate.report import write_report

        process.imported()
        write_report(
            Path(report.path), records=Path(records.path), validation=Path(validation.path),
            training=Path(training.path), evaluation=Path(evaluation.path),
        )  # fmt: skip


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def compare(
    publish_root: str,
    champion: str,
    code_version: str,
    config: dict,
    records: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    comparison: dsl.Output[dsl.Metrics],
) -> bool:
    """Say whether the model is good enough, and better than the one published now.

    Args:
        publish_root: Folder that model servers watch.
        champion: What fingerprint saw there; another value runs this step again.
        code_version: Digest of this step's code; another value runs this step again.
        config: EvaluateConfig as JSON.
        records: From ingest.
        model: From export.
        comparison: The verdict with its reason, and both KIDs.
    """
    from components.shared.process import step_process

    with step_process("compare") as process:
        from pathlib import Path

        from components.evaluate.compare import compare
        from components.evaluate.config import EvaluateConfig

        process.imported()
        folders = Path(records.path), Path(model.path), Path(publish_root)
        result = compare(*folders, Path(comparison.path), EvaluateConfig(**config))
        kids = {"kid": result.kid, "champion_kid": result.champion_kid}
        comparison.metadata.update({key: kid for key, kid in kids.items() if kid is not None})
        return result.publish
