"""Fingerprint and ingest as Kubeflow components."""

from kfp import dsl

from components.shared.images import image


@dsl.component(base_image=image("ingest"), install_kfp_package=False)
def fingerprint(images: str, code_version: str) -> str:
    """Digest of what the source holds now; never cached, so that a change is seen.

    Args:
        images: Folder, zip or tar of pictures.
        code_version: Digest of this step's code.
    """
    from components.shared.process import step_process

    with step_process("fingerprint") as process:
        from components.ingest.fingerprint import fingerprint

        process.imported()
        return fingerprint(images)


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
        images: Folder, zip or tar of pictures.
        source_digest: What fingerprint saw; another value runs this step again.
        code_version: Digest of this step's code; another value runs this step again.
        config: IngestConfig as JSON.
        records: Shards, manifest, rejected files and a contact sheet.
    """
    from components.shared.process import step_process

    with step_process("ingest") as process:
        from pathlib import Path

        from components.ingest.config import IngestConfig
        from components.ingest.step import ingest

        process.imported()
        manifest = ingest(images, Path(records.path), IngestConfig(**config))
        records.metadata.update(manifest["counts"])
