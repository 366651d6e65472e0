"""What a training runs on: one device, the GPUs of one host, or those of several hosts.

Each replica, a copy of both networks on a device of its own, works on its rows of every
batch, and gradients and batch statistics are averaged over all of them: the result is that
of one device, but for rounding and for dropout, whose masks no device can draw for the
others. The first host, the chief, alone writes files.
"""

import contextlib
import json
import logging
import os
import signal
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import tensorflow as tf

from components.shared.errors import PipelineError, UsageError, one_line

LOG = logging.getLogger("dcgan.train")

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


class Replicas(NamedTuple):
    """The strategy by which replicas work together, and this process's place among them."""

    strategy: tf.distribute.Strategy
    worker: int = 0  # this process; the chief is 0
    workers: int = 1  # processes, one a host

    def __str__(self) -> str:
        """Tell a person."""
        count = self.strategy.num_replicas_in_sync
        where = f", worker {self.worker} of {self.workers}" if self.workers > 1 else ""
        return f"{count} replica{'s' * (count > 1)}{where}"

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.worker == 0

    def rows(self, batch_size: int) -> slice:
        """Rows of each batch that this process works on.

        Raises:
            UsageError: The replicas cannot share a batch evenly.
        """
        replicas = self.strategy.num_replicas_in_sync
        if batch_size % replicas:
            raise UsageError(
                f"train.batch_size (={batch_size}) is not a multiple of the {replicas} replicas "
                f"on {self.workers} host(s): choose one, or fewer GPUs by CUDA_VISIBLE_DEVICES"
            )
        size = batch_size // self.workers
        return slice(self.worker * size, (self.worker + 1) * size)

    def require_same(self, name: str, value: int) -> None:
        """Wait for all workers to come here, and see that they come with the same value.

        Args:
            name: What the value is of, for the message.
            value: At most 63 bits.

        Raises:
            PipelineError: They differ.
        """
        if self.workers == 1:
            return
        values = self._gather(value)
        if len(set(values)) > 1:
            raise PipelineError(
                f"workers differ in {name}: give all of them the same arguments, and the same "
                f"folders on shared storage (worker {self.worker} has "
                f"{value}, all have {values})"
            )

    def require_same_state(self, state: dict[str, tf.Variable]) -> None:
        """See that all workers start from the same values, to the bit.

        Raises:
            PipelineError: They differ.
        """
        if self.workers == 1:
            return
        checksum = 0
        for variable in state.values():
            checksum = zlib.crc32(variable.numpy().tobytes(), checksum)
        self.require_same("the state that they start from", checksum)

    def from_chief(self, value: int) -> int:
        """Wait for all workers to come here, and give each of them the chief's value.

        Args:
            value: From 0 to 63 bits; that of another worker than the chief does not matter.
        """
        if self.workers == 1:
            return value
        return max(self._gather(value if self.is_chief else 0))

    def wait_for_all(self) -> None:
        """Stay until the others need nothing of this process any more."""
        with contextlib.suppress(*_LOST):  # those who came last may find the first ones gone
            self.require_same("the end", 0)

    def _gather(self, value: int) -> list[int]:
        """Values of all replicas, in no certain order of the workers."""
        mine = self.strategy.experimental_distribute_values_from_function(
            lambda _: tf.constant([value], tf.int64)
        )
        values: list[int] = self.strategy.gather(mine, axis=0).numpy().tolist()
        return values

    @contextlib.contextmanager
    def lost_workers_named(self) -> Iterator[None]:
        """Turn what TensorFlow raises when another worker is gone into one line.

        A connection that breaks is seen at once, a silent host after 10 s without heartbeats.
        """
        try:
            yield
        except _LOST as error:
            if self.workers == 1:
                raise
            text = one_line(error)
            reason = text.partition("aborted by: ")[2] or text
            raise PipelineError(
                f"worker {self.worker} of {self.workers} lost another one: see why in its log, "
                f"then start all of them again ({reason[:300]})"
            ) from error


def find_replicas() -> Replicas:
    """Join the workers that $TF_CONFIG names, or else take all GPUs of this host.

    Comes before any other TensorFlow operation, and waits for the other workers, an hour at
    most. $TF_CONFIG is what Kubeflow's trainer sets:
    https://www.tensorflow.org/guide/distributed_training#setting_up_the_tf_config_environment_variable

    Raises:
        UsageError: $TF_CONFIG is not understood.
    """
    worker, workers = _place(os.environ.get("TF_CONFIG", "{}"))
    if workers > 1:
        LOG.info("worker %d of %d: waiting for the others", worker, workers)
        on_term = signal.getsignal(signal.SIGTERM)
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        signal.signal(signal.SIGTERM, on_term)  # TensorFlow has put one that only logs it
        return Replicas(strategy, worker, workers)
    # Several logical CPU devices are there only where somebody asked for them.
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) == 1:
        return Replicas(tf.distribute.get_strategy())
    return Replicas(tf.distribute.MirroredStrategy([device.name for device in devices]))


def _place(tf_config: str) -> tuple[int, int]:
    """Number of this worker, the chief first, and of all."""
    try:
        config = json.loads(tf_config)
        cluster = config.get("cluster") or {}
        if set(cluster) - {"chief", "worker"}:
            raise ValueError("another job")
        tasks = [(job, index) for job in sorted(cluster) for index in range(len(cluster[job]))]
        if len(tasks) <= 1:
            return 0, 1
        return tasks.index((config["task"]["type"], int(config["task"]["index"]))), len(tasks)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(
            f"$TF_CONFIG is not understood: {one_line(tf_config)}; it names workers and at most "
            "one chief, and this process as one of them, e.g. "
            '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'
        ) from None


def own_rows(rows: tf.Tensor) -> tf.Tensor:
    """Take this replica's part of the rows of its host, in the order of the replicas."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return rows
    local = len(context.strategy.extended.worker_devices)
    return tf.split(rows, local)[replica() % local]


def own_draws(draw: Callable[[int], tf.Tensor], rows: int, axis: int = 0) -> tf.Tensor:
    """Draw for the rows of the whole batch, and keep those of this replica.

    A row gets the same numbers whatever the number of replicas.

    Args:
        draw: Gives random numbers for so many rows.
        rows: Of this replica.
        axis: The one along which rows lie.
    """
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return draw(rows)
    replicas = context.num_replicas_in_sync
    return tf.split(draw(rows * replicas), replicas, axis)[replica()]


def replica() -> int:
    """Number of the replica whose work is being traced."""
    context = tf.distribute.get_replica_context()
    return int(tf.get_static_value(context.replica_id_in_sync_group))


def mean_over_replicas(values: Any) -> Any:
    """Average what each replica found in its rows: tensors, in tuples and lists of any depth."""
    context = tf.distribute.get_replica_context()
    if context.num_replicas_in_sync == 1:
        return values
    return context.all_reduce(tf.distribute.ReduceOp.MEAN, values)
