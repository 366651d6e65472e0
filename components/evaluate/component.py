"""Validate, evaluate, report and compare as Kubeflow components."""

from kfp import dsl

from components.shared.images import image


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def validate(
    publish_root: str,
    champion: str,
    code_version: str,
    config: dict,
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
        config: EvaluateConfig as JSON, which names the extractor.
        export_config: ExportConfig as JSON, which names the model.
        records: From ingest.
        transform_graph: From transform.
        validation: What the pictures are, and the difference.
        data_page: Both, as one self-contained HTML page.
    """
    from components.shared.process import task_process

    with task_process("validate") as process:
        from pathlib import Path

        from components.evaluate.config import EvaluateConfig
        from components.evaluate.data_section import write_data_page
        from components.evaluate.validate import validate
        from components.shared.contracts import MODEL_NAME
        from components.shared.published import home_of

        process.imported()
        home = home_of(publish_root, export_config.get("model_name", MODEL_NAME))
        pictures, described = Path(records.path), Path(validation.path)
        graph, settings = Path(transform_graph.path), EvaluateConfig(**config)
        drift = validate(pictures, graph, home, described, settings)
        write_data_page(Path(data_page.path), pictures, described)
        validation.metadata.update(drift=drift.sentence)


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def evaluate(
    checkpoint_root: str,
    code_version: str,
    config: dict,
    records: dsl.Input[dsl.Dataset],
    training: dsl.Input[dsl.Artifact],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
):
    """Find the best snapshot of the training, and score it.

    Args:
        checkpoint_root: Folder that outlives the run; features of real pictures are kept there.
        code_version: Digest of this step's code; another value runs this step again.
        config: EvaluateConfig as JSON.
        records: From ingest.
        training: From train.
        evaluation: The best snapshot, its scores and samples.
        metrics: The best snapshot's scores, under names that tell the extractor.
    """
    from components.shared.process import task_process

    with task_process("evaluate") as process:
        import shutil
        from pathlib import Path

        from components.evaluate.config import EvaluateConfig
        from components.evaluate.scoring import SCORE_NAMES
        from components.evaluate.step import evaluate
        from components.shared.contracts import SCORES_FILE

        process.imported()
        folders = Path(records.path), Path(training.path), Path(evaluation.path)
        scores = evaluate(*folders, Path(checkpoint_root), EvaluateConfig(**config))
        extractor, best = scores["extractor"]["name"], scores["best"]
        named = {f"{key}_{extractor}": best[key] for key in SCORE_NAMES if best[key] is not None}
        metrics.metadata.update(epoch=best["epoch"], **named)
        shutil.copy(Path(evaluation.path, SCORES_FILE), metrics.path)  # no file, no cache hit


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def report(
    code_version: str,
    records: dsl.Input[dsl.Dataset],
    validation: dsl.Input[dsl.Artifact],
    training: dsl.Input[dsl.Artifact],
    evaluation: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    comparison: dsl.Input[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    card: dsl.Output[dsl.Markdown],
):
    """Show how good the generator is, what it was made from, and whether it is published.

    It is a task of its own, since what it says of the published model's pictures changes
    where no score does.

    Args:
        code_version: Digest of this step's code; another value runs this step again.
        records: From ingest.
        validation: From validate.
        training: From train.
        evaluation: From evaluate.
        model: From export.
        comparison: From compare.
        report: One self-contained HTML page.
        card: The model card.
    """
    from components.shared.process import task_process

    with task_process("report") as process:
        from pathlib import Path

        from components.evaluate.card import write_card
        from components.evaluate.report import write_report

        process.imported()
        judged = {
            "training": Path(training.path),
            "evaluation": Path(evaluation.path),
            "comparison": Path(comparison.path),
        }
        pictures = {"records": Path(records.path), "validation": Path(validation.path)}
        write_report(Path(report.path), **pictures, **judged)
        write_card(Path(card.path), model=Path(model.path), **judged)


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def compare(
    publish_root: str,
    checkpoint_root: str,
    champion: str,
    code_version: str,
    config: dict,
    records: dsl.Input[dsl.Dataset],
    evaluation: dsl.Input[dsl.Artifact],
    model: dsl.Input[dsl.Model],
    comparison: dsl.Output[dsl.Metrics],
) -> bool:
    """Say whether the model is good enough, and better than the one published now.

    Args:
        publish_root: Folder or bucket's prefix that model servers watch.
        checkpoint_root: Folder that outlives the run; features of real pictures are kept there.
        champion: What fingerprint saw there; another value runs this step again.
        code_version: Digest of this step's code; another value runs this step again.
        config: EvaluateConfig as JSON.
        records: From ingest.
        evaluation: From evaluate.
        model: From export.
        comparison: The verdict with its reason, and both KIDs.
    """
    from components.shared.process import task_process

    with task_process("compare") as process:
        from pathlib import Path

        from components.evaluate.config import EvaluateConfig
        from components.evaluate.gate import compare

        process.imported()
        result = compare(
            Path(records.path), Path(evaluation.path), Path(model.path), publish_root,
            Path(comparison.path), Path(checkpoint_root), EvaluateConfig(**config),
        )  # fmt: skip
        kids = {"kid": result.kid, "champion_kid": result.champion_kid}
        comparison.metadata.update({key: kid for key, kid in kids.items() if kid is not None})
        return result.blessed
