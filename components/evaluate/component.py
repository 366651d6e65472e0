"""Evaluate and compare as Kubeflow components."""

from kfp import dsl

from components.shared.images import image


@dsl.component(base_image=image("evaluate"), install_kfp_package=False)
def evaluate(
    code_version: str,
    config: dict,
    records: dsl.Input[dsl.Dataset],
    training: dsl.Input[dsl.Artifact],
    evaluation: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
):
    """Score the last snapshots, pick the best, and say whether it is good enough.

    Args:
        code_version: Digest of this step's code; another value runs this step again.
        config: EvaluateConfig as JSON.
        records: From ingest.
        training: From train.
        evaluation: The best snapshot, its scores and samples.
        report: One self-contained HTML page.
        metrics: The best snapshot's scores.
    """
    from components.shared.process import step_process

    with step_process("evaluate") as process:
        import shutil
        from pathlib import Path

        from components.evaluate.config import EvaluateConfig
        from components.evaluate.step import evaluate
        from components.shared.contracts import REPORT, SCORES

        process.imported()
        folders = Path(records.path), Path(training.path), Path(evaluation.path)
        scores = evaluate(*folders, EvaluateConfig(**config))
        finite = {key: value for key, value in scores["best"].items() if value is not None}
        metrics.metadata.update(finite)
        shutil.copy(Path(evaluation.path, REPORT), report.path)
        shutil.copy(Path(evaluation.path, SCORES), metrics.path)  # no file, no cache hit


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
