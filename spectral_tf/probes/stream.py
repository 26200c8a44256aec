"""Asks a function about a stream of inputs, under any strategy: the one way in which probes do.

What goes through the devices is cut into parts of one static shape, one for each replica at a time,
so that one program serves all of them, on TPUs, too. The next parts are made while devices work on
these, and devices that work on their own begin the next batch before this one is looked at. Several
hosts have to take a stream in step.
"""

import concurrent.futures
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf import batch_normalisation
from spectral_tf.errors import UserError
from spectral_tf.progress import Progress

# Images [n, h, w, c] as they are stored -> images as the model sees them, float32.
Prepare = Callable[[tf.Tensor], tf.Tensor]


def replicas_share(batch_size: int, strategy: tf.distribute.Strategy) -> int:
    """The part of a batch that each replica takes: together at most a batch, but one row each.

    What is asked about a row does not depend on the others: so any number of replicas will do.

    Raises:
      UserError: a batch size below 1.
    """
    if batch_size < 1:
        raise UserError("batch_size", expected="1 or more", got=batch_size, hint="choose another")
    return max(1, batch_size // strategy.num_replicas_in_sync)


def program(
    function: Callable[..., Any], strategy: tf.distribute.Strategy | None = None
) -> Callable[..., list[tf.Tensor]]:
    """A function on every replica and its results joined: what `stream` runs.

    Tracing takes a tenth of a second: whoever asks often keeps it.

    Args:
      function: as for `stream`.
      strategy: default: the current one.
    """
    strategy = strategy or tf.distribute.get_strategy()

    @tf.function
    def outputs_on(*batch: Any) -> list[tf.Tensor]:
        given = tf.nest.flatten(strategy.run(function, batch))
        return [strategy.gather(tensor, axis=0) for tensor in given]

    return outputs_on


def by_xla(function: Any, strategy: tf.distribute.Strategy) -> Callable[..., Any]:
    """A `tf.function` that asks for XLA, within a strategy: TPUs compile whatever they run."""
    on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    return function.python_function if on_tpu else function


def stream(
    function: Callable[..., Any],
    part: Callable[[int], Sequence[ArrayLike]],
    num_batches: int,
    strategy: tf.distribute.Strategy | None = None,
    unit: str = "batch",
) -> Iterator[list[NDArray]]:
    """What a function gives for each batch, joined over the replicas along the first axis.

    Args:
      function: tensors of one part -> a tensor, or several, with the part's items on the first
        axis; or a `program` of it with this strategy.
      part: number -> arrays, always of the same shapes; with r replicas batch b holds the parts
        b r, ..., b r + r - 1. It is called in another thread, for one part after the other.
      num_batches: how many there are.
      strategy: default: the current one.
      unit: how progress calls one of them.
    """
    strategy = strategy or tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    traced = isinstance(function, tf.types.experimental.PolymorphicFunction)
    outputs_on = function if traced else program(function, strategy)
    here: list[int] = []  # The replicas of this host.

    def note(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
        here.append(context.replica_id_in_sync_group)
        return tf.constant(0)

    strategy.experimental_distribute_values_from_function(note)

    def parts(number: int) -> dict[int, Sequence[ArrayLike]]:
        return {replica: part(number * replicas + replica) for replica in here}

    def ask(made: Mapping[int, Sequence[ArrayLike]]) -> list[tf.Tensor]:
        def of_replica(context: tf.distribute.experimental.ValueContext) -> tuple[tf.Tensor, ...]:
            with tf.device("CPU:0"):  # From where every replica takes its own.
                return tuple(map(tf.constant, made[context.replica_id_in_sync_group]))

        return outputs_on(*strategy.experimental_distribute_values_from_function(of_replica))

    shown = Progress(num_batches, unit=unit)
    with shown as progress, concurrent.futures.ThreadPoolExecutor(1) as pool:

        def asked() -> Iterator[list[tf.Tensor] | None]:
            ahead = pool.submit(parts, 0) if num_batches else None
            for number in range(num_batches):
                made = ahead.result()  # type: ignore[union-attr]  # There are batches.
                ahead = pool.submit(parts, number + 1) if number + 1 < num_batches else None
                yield ask(made)
            yield None

        for number, (given, _) in enumerate(itertools.pairwise(asked())):
            progress.update(number + 1)
            yield [tensor.numpy() for tensor in given]  # type: ignore[union-attr]  # The last alone.


def over_rows(
    function: Callable[..., Any],
    arrays: Sequence[NDArray],
    batch_size: int,
    strategy: tf.distribute.Strategy | None = None,
) -> list[NDArray]:
    """What a function gives for rows that do not know of each other, [n, ...] each.

    Args:
      function: tensors of some rows -> a tensor, or several, a row for each.
      arrays: with n rows each, n at least 1; the last batch is filled up with the first ones.
      batch_size: rows at once, over all replicas.
      strategy: default: the current one.

    Raises:
      UserError: as `replicas_share`.
    """
    strategy = strategy or tf.distribute.get_strategy()
    share = replicas_share(batch_size, strategy)
    count = len(arrays[0])
    # Few rows need no long batch.
    share = min(share, math.ceil(count / strategy.num_replicas_in_sync))

    def part(number: int) -> list[NDArray]:
        rows = (number * share + np.arange(share)) % count
        return [array[rows] for array in arrays]

    num_batches = math.ceil(count / (share * strategy.num_replicas_in_sync))
    batches = list(stream(function, part, num_batches, strategy))
    return [np.concatenate(pieces)[:count] for pieces in zip(*batches, strict=True)]


def as_they_are(images: tf.Tensor) -> tf.Tensor:
    """The preparation of images that are prepared."""
    return tf.convert_to_tensor(images)


def outputs(
    model: keras.Model | Callable[[tf.Tensor], tf.Tensor],
    images: NDArray,
    prepare: Prepare = as_they_are,
    *,
    batch_size: int = 256,
    strategy: tf.distribute.Strategy | None = None,
) -> NDArray[np.float32]:
    """What a model gives for images, float32 [n, d].

    Args:
      model: inputs -> outputs [b, ...], taken at inference.
      images: as they are stored, [n, ...], n at least 1.
      prepare: images -> inputs, which take four times the memory: of a batch at a time.
      batch_size: images at once, over all replicas.
      strategy: default: the current one.

    Raises:
      UserError: as `replicas_share`.
    """
    infer = at_inference(model)
    (given,) = over_rows(
        lambda pixels: tf.cast(infer(prepare(pixels)), tf.float32), [images], batch_size, strategy
    )
    return given.reshape(len(images), -1)


def at_inference(model: keras.Model | Callable[[tf.Tensor], tf.Tensor]) -> Prepare:
    """The function of a model, batch normalisation and dropout as at inference.

    Normalisations are folded into convolutions as `batch_normalisation.at_inference` says.
    """
    if isinstance(model, keras.Model):
        return batch_normalisation.at_inference(model)
    return model
