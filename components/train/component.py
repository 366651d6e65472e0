"""Train as a Kubeflow component."""

from kfp import dsl

from components.shared.images import image


@dsl.component(base_image=image("train"), install_kfp_package=False)
def train(
    checkpoint_root: str,
    code_version: str,
    config: dict,
    records: dsl.Input[dsl.Dataset],
    transform_graph: dsl.Input[dsl.Artifact],
    training: dsl.Output[dsl.Artifact],
):
    """Train a DCGAN; goes on from the last checkpoint of the same training.

    Args:
        checkpoint_root: Folder that outlives the run.
        code_version: Digest of this step's code; another value is another training.
        config: TrainConfig as JSON.
        records: From ingest.
        transform_graph: From transform.
        training: Snapshots, sample sheets, curves and TensorBoard events.
    """
    from components.shared.process import task_process

    with task_process("train") as process:
        from pathlib import Path

        from components.train.config import TrainConfig
        from components.train.step import train

        process.imported()
        train(
            Path(records.path), Path(transform_graph.path), Path(training.path),
            Path(checkpoint_root), code_version, TrainConfig(**config),
        )  # fmt: skip
