"""The train step: from records to snapshots of a generator."""

import logging
import os
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.shared.classes import Classes
from components.shared.contracts import IMAGE, MANIFEST, TRAINING
from components.shared.files import complete_or_absent, digest_of, read_json, write_json
from components.shared.normalization import load_transform_graph
from components.train.batches import open_pictures
from components.train.checkpoint_root import identity_of, last_epoch, open_training, steps_of_epoch
from components.train.config import TrainConfig
from components.train.loop import TrainingLoop
from components.train.precision import agree_on_policy
from components.train.replicas import find_replicas
from components.train.trainer import Trainer
from components.train.training_folder import FollowerFolder
from components.train.training_state import read_state
from components.train.turns import our_turn
from components.train.warm_start import start_from

LOG = logging.getLogger("dcgan.train")


def train(
    records: Path,
    transform_graph: Path,
    training: Path,
    checkpoint_root: Path,
    code_version: str,
    config: TrainConfig,
) -> dict[str, Any]:
    """Train a DCGAN, going on from the last checkpoint of the same training.

    Where several workers train together ($TF_CONFIG), each calls this with the same
    arguments, and the chief alone makes files.

    Args:
        records: Folder written by ingest.
        transform_graph: Folder written by transform.
        training: Folder to make: snapshots, sheets, curves, TensorBoard events and
            `training.json`.
        checkpoint_root: Folder that outlives this step; the training lives in a folder
            below it, named by the digest of data, configuration and code.
        code_version: Digest of the code that trains; another one is another training.
        config: Settings of this step.

    Returns:
        What `training.json` holds: the configuration that repeats this training, by epochs;
        the data type policy; epochs, steps and pictures seen as they were reached; seconds
        of the training that led here, over all processes; the data; and what
        `warm_start.start_from` said of the model that it descends from, or None.

    Raises:
        DataRefused: Fewer training pictures than a batch.
        UsageError: Another training waits unfinished, this one is past its last epoch,
            replicas cannot share a batch evenly, or $TF_CONFIG or the model of
            train.warm_start is not understood.
        PipelineError: Another process works on the same training, its checkpoints or the
            records are damaged, or another worker is gone.
        TrainingStopped: A loss or a weight is no longer finite, or the training has
            collapsed, now or in an earlier run.
        Terminated: SIGTERM or Ctrl-C while it trains; a checkpoint is written.
    """
    replicas = find_replicas()  # before any other TensorFlow operation
    replicas.rows(config.batch_size)  # refuses what they cannot share
    # Grappler's remapper fails at second derivatives, with an error in the log, and its gain
    # could not be measured here.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    manifest = read_json(records / MANIFEST)
    steps_per_epoch = steps_of_epoch(manifest["counts"], config)
    data = {key: manifest[key] for key in ("digest", "image_size", "counts", "classes")}
    classes = Classes.of(manifest)
    identity = identity_of(data["digest"], code_version, config)
    LOG.info("%d steps an epoch, on %s, %s", steps_per_epoch, _device(), replicas)

    with (
        our_turn(checkpoint_root, config.queue if replicas.is_chief else ""),
        open_training(checkpoint_root, identity, config, steps_per_epoch)
        if replicas.is_chief
        else FollowerFolder(checkpoint_root, identity) as folder,
        replicas.lost_workers_named(),
        open_pictures(records, manifest, config) as pictures,
    ):
        # Not before the chief has opened the folder do the others look into it.
        same = int(digest_of([identity, config.model_dump(mode="json")])[:15], 16)
        replicas.require_same("data, code or configuration", same)
        dtype = agree_on_policy(replicas, folder, config, manifest["image_size"])
        end = replicas.from_chief(last_epoch(read_state(folder.path), config))
        if end < config.epochs:
            config = config.by_epochs(end)
        graph = load_transform_graph(transform_graph)
        with replicas.strategy.scope():
            trainer = Trainer(config, manifest["image_size"], dtype, classes)
        loop = TrainingLoop(trainer, folder, config, records, manifest, pictures, replicas)
        descends_from = read_state(folder.path).get("descends_from")
        if loop.first_step == 0:
            warm_start = config.warm_start
            descends_from = start_from(warm_start, trainer, classes) if warm_start else None
        replicas.require_same_state(trainer.state())
        folder.mark("running", descends_from=descends_from)
        loop.run(lambda batch: graph(batch)[IMAGE])
        replicas.wait_for_all()
        steps = steps_per_epoch * loop.epochs
        summary = {
            "config": config.by_epochs(loop.epochs).model_dump(mode="json"),
            "dtype": dtype,
            "data": data,
            "epochs": loop.epochs,
            "steps": steps,
            "images_seen": steps * config.batch_size,
            "seconds": round(float(trainer.seconds.numpy()), 1),
            "resumed_from_step": loop.first_step,
            "descends_from": descends_from,
        }
        if replicas.is_chief:
            with complete_or_absent(training) as target:
                folder.copy_results(target)
                write_json(target / TRAINING, summary)
    return summary


def _device() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU ({os.cpu_count()} cores)"
    details = tf.config.experimental.get_device_details(gpus[0])
    return f"GPU ({details.get('device_name', gpus[0].name)})"
