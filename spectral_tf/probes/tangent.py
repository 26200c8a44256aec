"""The neural tangent kernel of a network on given inputs."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from spectral_tf.errors import UserError


def tangent_kernels(
    model: keras.Model,
    weights: Sequence[np.ndarray],
    states: Sequence[np.ndarray],
    inputs: np.ndarray,
) -> NDArray[np.float64]:
    """The empirical neural tangent kernel of many copies of one model.

    K_ij = sum over all trainable parameters p of (df(x_i)/dp) (df(x_j)/dp), symmetric and positive
    semidefinite; in float32 arithmetic.

    Args:
      model: gives the architecture, one output; its own variables are neither read nor written.
      weights: for each trainable variable one array [e, *shape].
      states: the same for the non-trainable variables.
      inputs: [n, ...]. The gradients of one copy at all inputs are in memory at once: 4 n bytes for
        each parameter.

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
    x = tf.constant(inputs)
    members = range(len(weights[0]))
    return np.stack(
        [
            _kernel(
                model, [tf.constant(w[i]) for w in weights], [tf.constant(s[i]) for s in states], x
            )
            for i in members
        ]
    ).astype(np.float64)


# Traced once for each model and shape, whoever calls.
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
