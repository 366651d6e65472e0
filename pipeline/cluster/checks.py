"""What a configuration tells of a run that no cluster could bring to its end."""

from collections.abc import Iterator

from components.export.packages import packages_for
from components.ingest.addresses import addresses, check_scheme
from components.shared.beam_options import works_here
from components.shared.buckets import is_remote
from components.shared.contracts import BASE
from components.shared.errors import UsageError
from pipeline.cluster.compiling import images_of, source_of
from pipeline.config import PipelineConfig
from pipeline.enough_pictures import check_max_images
from pipeline.image_packages import check_image

_WHOLE_GPU = "nvidia.com/gpu"  # what else there is may be parts of one


def check_config(config: PipelineConfig) -> list[str]:
    """Refuse what no cluster could run; nothing is asked of a server.

    Returns:
        Warnings, each a sentence.

    Raises:
        UsageError: Images of no registry or without a package, what no pod could see, or a
            batch that the GPUs cannot share, or fewer pictures than the run needs.
    """
    _check_images(config)
    _check_gpus(config)
    check_max_images(config)
    return [*_check_pictures(config), *_check_paths(config), *_check_packages(config)]


def _check_images(config: PipelineConfig) -> None:
    for step, image in images_of(config).items():
        registry, slash, _ = image.partition("/")
        known = slash and (registry == "localhost" or set(registry) & {".", ":"})
        if not known and (step in config.cluster.images or not config.cluster.registry):
            raise UsageError(
                f"cluster.registry is empty, so no node could pull {image}: set it as given to "
                "`make images REGISTRY=… PUSH=1` (localhost for images loaded onto the nodes), "
                f"or set cluster.images.{step}"
            )


def _check_gpus(config: PipelineConfig) -> None:
    pod, batch_size = config.cluster.train, config.train.batch_size
    if pod.gpus and pod.gpu_type == _WHOLE_GPU and batch_size % pod.gpus:
        raise UsageError(
            f"train.batch_size (={batch_size}) is not a multiple of cluster.train.gpus "
            f"(={pod.gpus}): all GPUs share each batch evenly; change one of the two"
        )


def _check_pictures(config: PipelineConfig) -> Iterator[str]:
    for address in addresses(source_of(config)):
        if is_remote(address):
            check_scheme(address)
            yield f"whether the pods may read {address} is not checked from here"
        elif not config.cluster.on_claim(address.removeprefix("@")):
            raise UsageError(
                f"--images {address}: {_not_found(config)}, or the address of a bucket"
            )


def _check_paths(config: PipelineConfig) -> Iterator[str]:
    """See that every other path lies where pods see it, or may be in the images of all who do."""
    cluster, extractor = config.cluster, config.evaluate.extractor_source
    start = "" if config.train.warm_start == BASE else config.train.warm_start
    settings = [
        ("train.warm_start", start, ["ingest", "train"]),  # fingerprint looks for it, too
        ("evaluate.extractor_source", extractor, ["evaluate"]),
        ("cluster.publish_root", cluster.publish_root, []),
    ]
    for step in ("ingest", "transform"):
        beam = getattr(config, step)
        if not works_here(beam.beam_options):  # else any folder of its pod will do
            settings.append((f"{step}.staging", beam.staging, []))
    for setting, path, readers in settings:
        if not path or is_remote(path) or cluster.on_claim(path):
            continue
        if readers and all(_own_image(config, step) for step in readers):
            for step in readers:
                yield f"whether {_own_image(config, step)} holds {path} is not checked from here"
        else:
            raise UsageError(f"{setting} (={path}): {_not_found(config)}")


def _check_packages(config: PipelineConfig) -> Iterator[str]:
    own = _own_image(config, "export")
    if own is None:
        image = images_of(config)["export"]
        check_image(config.export, image, "name one that does in cluster.images.export")
        return
    for needed in packages_for(config.export):
        yield f"whether {own} holds {needed.package} is not checked from here"


def _own_image(config: PipelineConfig, step: str) -> str | None:
    """A step's image, if its name does not say that it is made from this very code and no more."""
    is_named = step in config.cluster.images or config.cluster.tag
    return images_of(config)[step] if is_named else None


def _not_found(config: PipelineConfig) -> str:
    return (
        f"no pod would find it: name a path on the claim {config.cluster.claim}, which pods see as "
        f"{config.cluster.mount_path}"
    )
