"""Evaluate as a Kubeflow component."""

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
) -> bool:
    """Score the last snapshots, pick the best, and say whether it may be published.

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
        return scores["blessed"]
