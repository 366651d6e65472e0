"""Transform as a Kubeflow component."""

from kfp import dsl

from components.shared.images import image


@dsl.component(base_image=image("transform"), install_kfp_package=False)
def transform(
    code_version: str,
    config: dict,
    records: dsl.Input[dsl.Dataset],
    transform_graph: dsl.Output[dsl.Artifact],
):
    """Make the graph that maps pixels to [-1, 1], and statistics per channel.

    Args:
        code_version: Digest of this step's code; another value runs this step again.
        config: TransformConfig as JSON.
        records: From ingest.
        transform_graph: tf.Transform's graph and `statistics.json`.
    """
    from components.shared.process import task_process

    with task_process("transform") as process:
        from pathlib import Path

        from components.transform.config import TransformConfig
        from components.transform.step import transform

        process.imported()
        transform(Path(records.path), Path(transform_graph.path), TransformConfig(**config))
