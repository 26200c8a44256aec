"""The neural tangent kernel of a network on given inputs."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.probes.stream import by_xla, program, stream


def tangent_kernels(
    model: keras.Model,
    weights: Sequence[np.ndarray],
    states: Sequence[np.ndarray],
    inputs: np.ndarray,
    *,
    strategy: tf.distribute.Strategy | None = None,
) -> NDArray[np.float64]:
    """The empirical neural tangent kernel of many copies of one model.

    K_ij = sum over all trainable parameters p of (df(x_i)/dp) (df(x_j)/dp), symmetric and positive
    semidefinite; in float32 arithmetic, products of matrices as the device rounds them.

    Args:
      model: gives the architecture, one output; its own variables are neither read nor written.
      weights: for each trainable variable one array [e, *shape].
      states: the same for the non-trainable variables.
      inputs: [n, ...]. The gradients of one copy at all inputs are in memory at once: 4 n bytes for
        each parameter.
      strategy: whose replicas take a copy each at a time; default: the current one.

    Returns:
      float64, shape [e, n, n], in squared output units over squared parameter units.

    Raises:
      UserError: the model has more than one output.

    Source: Jacot, Gabriel and Hongler (2018), "Neural tangent kernel", arXiv 1806.07572.
    """
    if model.output_shape[1:] != (1,):
        raise UserError(
            "model",
            expected="one output for each input",
            got=f"outputs of shape {model.output_shape[1:]}",
            hint="take a kernel for each output with a model of it alone",
        )
    strategy = strategy or tf.distribute.get_strategy()
    num_members = len(weights[0])

    def part(number: int) -> list[NDArray]:
        member = number % num_members
        return [np.asarray(inputs), *(array[member] for array in (*weights, *states))]

    num_batches = math.ceil(num_members / strategy.num_replicas_in_sync)
    kernel = _program(model, len(weights), strategy)
    found = [
        kernels for (kernels,) in stream(kernel, part, num_batches, strategy, "batch of kernels")
    ]
    return np.concatenate(found)[:num_members].astype(np.float64)


# Traced once for each model and shape, whoever calls.
@functools.lru_cache(maxsize=8)
def _program(model: keras.Model, num_weights: int, strategy: tf.distribute.Strategy) -> Any:
    of_one = by_xla(_kernel, strategy)

    def kernel(x: tf.Tensor, *arrays: tf.Tensor) -> tf.Tensor:
        return of_one(model, list(arrays[:num_weights]), list(arrays[num_weights:]), x)[None]

    return program(kernel, strategy)


@tf.function(jit_compile=True, autograph=False)
def _kernel(
    model: keras.Model, weights: list[tf.Tensor], states: list[tf.Tensor], inputs: tf.Tensor
) -> tf.Tensor:
    def gradient(sample: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(weights)
            output = model.stateless_call(weights, states, sample[None], training=False)[0]
        return tape.gradient(output, weights, unconnected_gradients="zero")

    gradients = tf.vectorized_map(gradient, inputs)
    rows = [tf.reshape(g, [inputs.shape[0], -1]) for g in gradients]
    return tf.add_n([tf.matmul(row, row, transpose_b=True) for row in rows])
