"""The functions of networks whose parameters have been moved a little."""

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.functions import stacked_outputs
from spectral_tf.probes.stream import by_xla, program, stream


def perturbed_outputs(
    model: keras.Model,
    weights: Sequence[np.ndarray],
    states: Sequence[np.ndarray],
    inputs: np.ndarray,
    norms: ArrayLike,
    num_directions: int,
    *,
    seed: int,
    shared: bool = False,
    block_size: int = 8,
    strategy: tf.distribute.Strategy | None = None,
) -> NDArray[np.float32]:
    """The outputs of one network with its parameters moved along random directions.

    f(x; theta + delta u) for every norm delta and directions u drawn isotropically from the unit
    sphere of all trainable parameters together (independent normals, divided by their length).

    Args:
      model: gives the architecture; its own variables are neither read nor written.
      weights: theta, one array for each trainable variable.
      states: the same for the non-trainable variables (empty for plain networks).
      inputs: [n, ...].
      norms: delta, shape [p], each at least 0, in the unit of the parameters.
      num_directions: d, at least 1, for each norm.
      seed: at least 0; a direction depends on it and on its index alone, not on `block_size`.
      shared: every norm takes the same d directions (common random numbers: smoother curves and p
        times fewer draws) instead of fresh ones for each norm (the published code).
      block_size: networks moved at once on each replica; they take 12 * block_size bytes for each
        parameter there, and twice 4 * block_size on the host.
      strategy: whose replicas take a block each at a time; default: the current one.

    Returns:
      float32, shape [p, d, n, o], evaluated as at inference.

    Raises:
      UserError: no norms, a norm below 0, no directions or a block size below 1.

    Source: Rahaman et al. (2019), experiment 2 (section 3.3, Fig 3).
    """
    delta = np.asarray(norms, dtype=np.float32)
    if delta.ndim != 1 or delta.size == 0 or not np.all(delta >= 0):
        raise UserError(
            "norms", expected="numbers of at least 0", got=norms, hint="give a list of norms"
        )
    for name, count in (("num_directions", num_directions), ("block_size", block_size)):
        if count < 1:
            raise UserError(name, expected="at least 1", got=count, hint="give a positive number")
    sizes = [int(np.size(w)) for w in weights]
    strategy = strategy or tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    theta = [np.asarray(w, np.float32) for w in weights]

    def draw(rows: Sequence[tuple[int, ...]]) -> NDArray[np.float32]:
        """One direction for each row, which seeds it; blocks are filled up with zeros."""
        directions = np.zeros((min(block_size, num_directions), sum(sizes)), np.float32)
        for direction, row in zip(directions, rows, strict=False):
            np.random.default_rng([seed, *row]).standard_normal(dtype=np.float32, out=direction)
            direction /= np.linalg.norm(direction)
        return directions

    results: list[list[np.ndarray]] = [[] for _ in delta]
    groups = [range(delta.size)] if shared else [range(i, i + 1) for i in range(delta.size)]
    blocks = [
        (norms_of, [(d,) if shared else (d, norms_of.start) for d in range(start, end)])
        for norms_of in groups
        for start in range(0, num_directions, block_size)
        for end in [min(start + block_size, num_directions)]
    ]
    blocks += [(groups[0], [])] * (-len(blocks) % replicas)  # Every replica has one.

    # Drawing is as dear as evaluating: a stream makes the next part while this one is evaluated.
    def part(number: int) -> list[NDArray]:
        norms_of, rows = blocks[number]
        return [draw(rows), delta[norms_of.start : norms_of.stop], inputs, *theta, *states]

    moved = _program(model, len(theta), strategy)
    batches = stream(moved, part, len(blocks) // replicas, strategy, "batch of perturbations")
    outputs = itertools.chain.from_iterable(np.split(batch, replicas) for (batch,) in batches)
    for (norms_of, rows), of_block in zip(blocks, outputs, strict=False):
        for i, norm in enumerate(norms_of):
            results[norm].append(of_block[: len(rows), i])
    return np.stack([np.concatenate(parts) for parts in results])


# Traced once for each model and shape, whoever calls.
@functools.lru_cache(maxsize=8)
def _program(model: keras.Model, num_weights: int, strategy: tf.distribute.Strategy) -> Any:
    outputs_of = by_xla(_moved_outputs, strategy)

    def moved(directions: tf.Tensor, norms: tf.Tensor, x: tf.Tensor, *own: tf.Tensor) -> tf.Tensor:
        arrays = list(own[:num_weights]), list(own[num_weights:])
        of_norms = outputs_of(model, *arrays, x, directions, norms)
        return tf.einsum("qb...->bq...", of_norms)  # What replicas share comes first.

    return program(moved, strategy)


@tf.function(jit_compile=True, autograph=False)
def _moved_outputs(
    model: keras.Model,
    weights: list[tf.Tensor],
    states: list[tf.Tensor],
    inputs: tf.Tensor,
    directions: tf.Tensor,
    norms: tf.Tensor,
) -> tf.Tensor:
    """Directions [b, parameters] and norms [q] -> outputs [q, b, n, o]."""
    parts = tf.split(directions, [w.shape.num_elements() for w in weights], axis=1)
    moves = [tf.reshape(part, [-1, *w.shape]) for part, w in zip(parts, weights, strict=True)]
    copies = [tf.repeat(s[None], directions.shape[0], axis=0) for s in states]

    def outputs(norm: tf.Tensor) -> tf.Tensor:
        moved = [w + norm * move for w, move in zip(weights, moves, strict=True)]
        return stacked_outputs(model, moved, copies, inputs)

    return tf.map_fn(outputs, norms)
