"""Members spread over the replicas of a strategy: each trains its own, nothing is reduced."""

import contextlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import tensorflow as tf
from absl import logging

from spectral_tf.errors import UserError

Result = TypeVar("Result")


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Returns when every host has come here."""
    Replicas(strategy, 1).all_reduce_max(0)


def any_host(strategy: tf.distribute.Strategy, flag: bool) -> bool:
    """Whether it is so on one host at least; the same answer on all of them."""
    return bool(Replicas(strategy, 1).all_reduce_max(int(flag))[0])


def together(strategy: tf.distribute.Strategy, action: Callable[[], Result]) -> Result:
    """What a host does, if no host failed in it.

    A mistake that one host sees alone, as the chief does who takes the folder, would leave the
    others waiting for it: they end with it, and say that another one has told why.

    Raises:
      UserError: that of the action.
      SystemExit: with 2, on the other hosts.
    """
    mistake, result = None, None
    try:
        result = action()
    except UserError as error:
        mistake = error
    if any_host(strategy, mistake is not None):
        leave(strategy)
        if mistake:
            raise mistake
        logging.error("another host has refused; its last line says why")
        raise SystemExit(2)
    return cast(Result, result)


def leave(strategy: tf.distribute.Strategy) -> None:
    """The last call of every host: returns when no other host needs this one any more.

    A host that has come through `wait_for_all` may end while another is still in it, whose call
    then fails. So all meet twice: who comes through the second time knows that all came through
    the first, and that the second fails for somebody is nobody's loss.
    """
    wait_for_all(strategy)
    with contextlib.suppress(tf.errors.OpError):
        wait_for_all(strategy)


class Replicas:
    """Places arrays with a leading member axis on replicas, in blocks, and collects them again.

    Each of r replicas holds ceil(e / r) consecutive members; if that is more than e in all, the
    last member is trained again in the empty places and dropped when collecting.

    Args:
      strategy: any `tf.distribute.Strategy`, with one or several hosts.
      num_members: e, at least 1.
    """

    def __init__(self, strategy: tf.distribute.Strategy, num_members: int) -> None:
        self._strategy = strategy
        self._num_members = num_members
        self._count = strategy.num_replicas_in_sync
        self._share = -(-num_members // self._count)
        # The hosts of a TPU are driven by this process alone.
        self.on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
        cluster = getattr(strategy, "cluster_resolver", None)
        jobs = cluster.cluster_spec().as_dict() if cluster and not self.on_tpu else {}
        self._num_hosts = max(1, sum(len(jobs.get(job, ())) for job in ("chief", "worker")))
        self._several_hosts = self._num_hosts > 1
        self._gather = tf.function(
            lambda values: [strategy.gather(value, axis=0) for value in values],
            autograph=False,
            reduce_retracing=False,
        )
        self.on_cpu = not self.on_tpu and not tf.config.list_logical_devices("GPU")

    def blocks(self, block_size: int | None) -> list[slice]:
        """The members of one replica's share cut into even blocks of at most `block_size`."""
        count = -(-self._share // (block_size or self._share))
        ends = [self._share * i // count for i in range(count + 1)]
        return [slice(*pair) for pair in itertools.pairwise(ends)]

    def scatter(self, arrays: Any, blocks: Sequence[slice]) -> list[Any]:
        """Nested arrays [e, ...] -> for each block the same nest of per-replica tensors."""

        def part(array: np.ndarray, block: slice, replica: int) -> np.ndarray:
            rows = np.arange(block.start, block.stop) + replica * self._share
            return array[np.minimum(rows, self._num_members - 1)]

        def put(array: np.ndarray, block: slice) -> Any:
            return self._on_replicas(lambda replica: part(array, block, replica))

        return [tf.nest.map_structure(lambda a, b=block: put(a, b), arrays) for block in blocks]

    def broadcast(self, arrays: Any) -> Any:
        """One copy of an array, or of each of a nest, on every replica."""
        return tf.nest.map_structure(lambda array: self._on_replicas(lambda _: array), arrays)

    def _on_replicas(self, array_of: Callable[[int], np.ndarray]) -> Any:
        devices = self._strategy.extended.worker_devices if self._count > 1 else (None,)

        def tensor(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            replica = context.replica_id_in_sync_group
            with tf.device(devices[replica % len(devices)]):
                return tf.constant(array_of(replica))

        return self._strategy.experimental_distribute_values_from_function(tensor)

    def program(self, function: Callable, *, compiled: bool = True) -> Callable:
        """A function of per-replica tensors as a graph; `compiled`: on each one XLA program."""
        # TPUs compile whatever they run; elsewhere XLA has to be asked for.
        if compiled and not self.on_tpu:
            function = tf.function(function, jit_compile=True, autograph=False)

        def run(*arguments: Any) -> Any:
            return self._strategy.run(function, args=arguments)

        return tf.function(run, autograph=False)

    def gather(self, blocks: Sequence[Any]) -> Any:
        """For each block a nest of per-replica tensors -> one nest of arrays [e, ...]."""

        def join(*parts: list[np.ndarray]) -> np.ndarray:
            shares = [np.concatenate(rows) for rows in zip(*parts, strict=True)]
            return np.concatenate(shares)[: self._num_members]

        # The lists of shares are leaves here: one for each tensor of a block.
        flat = [[self._everywhere(v) for v in self._flat(block)] for block in blocks]
        joined = [join(*parts) for parts in zip(*flat, strict=True)]
        return tf.nest.pack_sequence_as(blocks[0], joined)

    def _flat(self, block: Any) -> list[Any]:
        """The tensors of a block, on several hosts gathered in one call that all hosts make."""
        tensors = tf.nest.flatten(block)
        return list(self._gather(tensors)) if self._several_hosts else tensors

    def _everywhere(self, value: Any) -> list[np.ndarray]:
        """The value on every replica, those of other hosts included."""
        if self._several_hosts:
            return np.split(value.numpy(), self._count)
        return [v.numpy() for v in self._strategy.experimental_local_results(value)]

    def wait(self, blocks: Sequence[Any]) -> None:
        """Returns when the tensors have been computed."""
        for block in blocks:
            for value in self._strategy.experimental_local_results(block["diverged_at_step"]):
                value.numpy()

    def sum_over_hosts(self, value: tf.Tensor) -> tf.Tensor:
        """The sum of a tensor that every host has one of; within a `tf.function`."""
        if not self._several_hosts:
            return value

        def once_a_host() -> tf.Tensor:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            first = replica % (self._count // self._num_hosts) == 0
            return tf.where(first, value, tf.zeros_like(value))

        return self._strategy.reduce("SUM", self._strategy.run(once_a_host), axis=None)

    def all_reduce_max(self, *requests: int) -> list[int]:
        """The largest of each request over all hosts: what one host wants, all do."""
        if not self._several_hosts:
            return list(requests)
        (everyone,) = self._gather([self.broadcast(np.asarray([requests], np.int32))])
        return everyone.numpy().max(axis=0).tolist()
