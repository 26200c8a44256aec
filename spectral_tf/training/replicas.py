"""Members spread over the replicas of a strategy: each trains its own, nothing is reduced."""

import contextlib
import itertools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import tensorflow as tf
from absl import logging
from etils import epath

from spectral_tf import storage
from spectral_tf.errors import UserError
from spectral_tf.runtime import peers
from spectral_tf.runtime.cluster import cluster

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


def refuse_different_hosts(
    strategy: tf.distribute.Strategy, facts: Mapping[str, str], seconds: float
) -> None:
    """Sees that all hosts run the same: the first thing that they do together.

    Args:
      strategy: with one or several hosts.
      facts: what has to be the same on all of them, such as flags and versions.
      seconds: how long the other hosts may take; after that the process ends with a line.

    Raises:
      UserError: on all hosts, naming one that differs from the first and what it has.
    """
    hosts = cluster()
    replicas = Replicas(strategy, 1)
    if hosts is None or replicas.num_hosts < 2:
        return
    with peers.within(seconds, peers.not_one(seconds)):
        each = [json.loads(text) for text in replicas.texts(json.dumps(dict(facts)))]
    peers.joined(hosts)
    for name, address, other in zip(hosts.names, hosts.addresses, each, strict=True):
        wrong = [k for k in each[0] | other if each[0].get(k) != other.get(k)]
        if wrong:
            leave(strategy)
            raise UserError(
                "TF_CONFIG",
                expected="hosts that run the same, as the first one does: "
                + ", ".join(f"{k} {each[0].get(k, 'none')}" for k in wrong[:3]),
                got=f"{name} at {address} with "
                + ", ".join(f"{k} {other.get(k, 'none')}" for k in wrong[:3]),
                hint="give all hosts the same command and the same versions",
            )


def refuse_different_folders(
    strategy: tf.distribute.Strategy, file: epath.Path, seconds: float = 90.0
) -> None:
    """Sees that a file which the first host has written is there on all of them.

    Args:
      strategy: with one or several hosts.
      file: whose content tells this run from others.
      seconds: that a shared disk may take to show it.

    Raises:
      UserError: on a host where it is another one; SystemExit with 2 on the others.
    """
    replicas = Replicas(strategy, 1)
    if replicas.num_hosts < 2:
        return

    def digest() -> str:
        return storage.digest(file) if file.exists() else "none"

    wanted, until = replicas.texts(digest())[0], time.monotonic() + seconds

    def look() -> None:
        while digest() != wanted:
            if time.monotonic() > until:
                raise UserError(
                    "workdir",
                    expected="one folder that all hosts share",
                    got=f"{file.parent}, which is another one here than on the first host",
                    hint="put it on a shared disk",
                )
            time.sleep(0.5)

    together(strategy, look)


def leave(strategy: tf.distribute.Strategy) -> None:
    """The last call of every host: returns when no other host needs this one any more.

    A host that has come through `wait_for_all` may end while another is still in it, whose call
    then fails. So all meet twice: who comes through the second time knows that all came through
    the first, and that the second fails for somebody is nobody's loss.
    """
    wait_for_all(strategy)
    with contextlib.suppress(tf.errors.OpError):
        wait_for_all(strategy)


def device_types(strategy: tf.distribute.Strategy) -> set[str]:
    """CPU, GPU, TPU, ...: what the replicas of this host compute on."""
    try:
        devices = strategy.extended.worker_devices
    except (
        RuntimeError
    ):  # The default strategy has no list: TensorFlow takes a GPU if there is one.
        return {"GPU"} if tf.config.list_logical_devices("GPU") else {"CPU"}
    return {str(tf.DeviceSpec.from_string(device).device_type) for device in devices}


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
        self.num_hosts = max(1, sum(len(jobs.get(job, ())) for job in ("chief", "worker")))
        self._several_hosts = self.num_hosts > 1
        self._gather = tf.function(
            lambda values: [strategy.gather(value, axis=0) for value in values],
            autograph=False,
            reduce_retracing=False,
        )
        self.on_cpu = not self.on_tpu and device_types(strategy) == {"CPU"}

    def blocks(self, block_size: int | None, multiple: int = 1) -> list[slice]:
        """The members of one replica's share cut into even blocks of at most `block_size`.

        The first is the largest: what it can be compiled as, all can (one member alone hides what
        has no vectorised form).

        Args:
          block_size: None for all in one.
          multiple: blocks are a multiple of this in number, while there are members.
        """
        count = -(-self._share // (block_size or self._share))
        count = min(self._share, multiple * -(-count // multiple))
        ends = [-(-self._share * i // count) for i in range(count + 1)]
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

    def wait(self, block: Any) -> None:
        """Returns when the tensors of a block have been computed."""
        for value in self._strategy.experimental_local_results(block["diverged_at_step"]):
            value.numpy()

    def sum_over_hosts(self, value: tf.Tensor) -> tf.Tensor:
        """The sum of a tensor that every host has one of; within a `tf.function`."""
        if not self._several_hosts:
            return value

        def once_a_host() -> tf.Tensor:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            first = replica % (self._count // self.num_hosts) == 0
            return tf.where(first, value, tf.zeros_like(value))

        return self._strategy.reduce("SUM", self._strategy.run(once_a_host), axis=None)

    def texts(self, own: str) -> list[str]:
        """A text of every host, in their order; all hosts must call this together."""
        if not self._several_hosts:
            return [own]
        codes = np.frombuffer(own.encode(), np.uint8)
        (longest,) = self.all_reduce_max(len(codes))
        row = np.zeros((1, longest), np.int32)
        row[0, : len(codes)] = codes
        (rows,) = self._gather([self.broadcast(row)])
        of_hosts = rows.numpy()[:: self._count // self.num_hosts]
        return [bytes(row[row > 0].astype(np.uint8)).decode() for row in of_hosts]

    def all_reduce_max(self, *requests: int) -> list[int]:
        """The largest of each request over all hosts: what one host wants, all do."""
        if not self._several_hosts:
            return list(requests)
        (everyone,) = self._gather([self.broadcast(np.asarray([requests], np.int32))])
        return everyone.numpy().max(axis=0).tolist()
