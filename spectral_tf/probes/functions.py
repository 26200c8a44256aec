"""The functions that networks compute, as samples."""

from collections.abc import Sequence

import keras
import tensorflow as tf


def stacked_outputs(
    model: keras.Model,
    weights: Sequence[tf.Tensor],
    states: Sequence[tf.Tensor],
    inputs: tf.Tensor,
) -> tf.Tensor:
    """The outputs of many copies of one model on the same inputs, at once.

    Args:
      model: gives the architecture; its own variables are neither read nor written.
      weights: for each trainable variable one tensor [e, *shape], member on the first axis.
      states: the same for the non-trainable variables (empty for plain networks).
      inputs: [n, ...], shared by all members.

    Returns:
      [e, n, ...], evaluated as at inference (`training=False`).
    """

    def outputs(member: tuple[list[tf.Tensor], list[tf.Tensor]]) -> tf.Tensor:
        return model.stateless_call(member[0], member[1], inputs, training=False)[0]

    return tf.vectorized_map(outputs, (list(weights), list(states)))
