"""Fingerprint and ingest as Kubeflow components."""

from typing import NamedTuple

from kfp import dsl

from components.shared.images import image


@dsl.component(base_image=image("ingest"), install_kfp_package=False)
def fingerprint(
    images: str,
    publish_root: str,
    checkpoint_root: str,
    paranoid: bool,
    code_version: str,
    train_config: dict,
    export_config: dict,
) -> NamedTuple("Seen", [("source", str), ("champion", str)]):  # type: ignore[valid-type]
    """Digests of what the outside world holds now; never cached, so that a change is seen.

    What of it would fail the run hours later is refused here.

    Args:
        images: Sources of pictures, one a line: folder, archive, pattern, @list, bucket.
        publish_root: Folder, gs://… or s3://… that model servers watch.
        checkpoint_root: Folder that outlives the run; digests of files are kept in there.
        paranoid: Read each local file anew instead of trusting those.
        code_version: Digest of this step's code.
        train_config: TrainConfig as JSON, which may name a model to start from.
        export_config: ExportConfig as JSON, which names the model.

    Returns:
        source: Digest of the pictures.
        champion: What `components.ingest.fingerprint.champion` says of the published model.
    """
    from components.shared.process import task_process

    with task_process("fingerprint") as process:
        from pathlib import Path

        from components.ingest.fingerprint import CACHE, champion, fingerprint
        from components.shared.contracts import MODEL_NAME
        from components.shared.published import home_of, refuse_no_model, refuse_unwritable

        process.imported()
        home = home_of(publish_root, export_config.get("model_name", MODEL_NAME))
        refuse_no_model(train_config.get("warm_start", ""), home)
        refuse_unwritable(home)
        published = champion(publish_root, export_config)
        return fingerprint(images, Path(checkpoint_root, CACHE), paranoid), published


@dsl.component(base_image=image("ingest"), install_kfp_package=False)
def ingest(
    images: str,
    source_digest: str,
    code_version: str,
    config: dict,
    records: dsl.Output[dsl.Dataset],
):
    """Check, decode, crop, deduplicate and split pictures into TFRecord shards.

    Args:
        images: Sources of pictures, one a line.
        source_digest: What fingerprint saw; another value runs this step again.
        code_version: Digest of this step's code; another value runs this step again.
        config: IngestConfig as JSON.
        records: Shards, manifest, rejected files and a contact sheet.
    """
    from components.shared.process import task_process

    with task_process("ingest") as process:
        from pathlib import Path

        from components.ingest.config import IngestConfig
        from components.ingest.step import ingest

        process.imported()
        manifest = ingest(images, Path(records.path), IngestConfig(**config))
        records.metadata.update(manifest["counts"])
