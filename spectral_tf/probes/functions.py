"""The functions that networks compute, as samples."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf


class Called(NamedTuple):
    """What a call of a model gives and leaves behind.

    Attributes:
      outputs: of the model.
      weights: its trainable variables; those that the call does not assign are the ones given.
      states: its non-trainable variables: means of normalisations, seeds of random draws.
      losses: its own, scalars: regularisers and what `add_loss` was told.
    """

    outputs: Any
    weights: list[tf.Tensor]
    states: list[tf.Tensor]
    losses: list[tf.Tensor]


def call(
    model: keras.Model,
    weights: Sequence[tf.Tensor],
    states: Sequence[tf.Tensor],
    inputs: Any,
    *,
    training: bool = False,
) -> Called:
    """A model called with values in place of its variables, which are neither read nor written.

    As `model.stateless_call`, but for models whose `call` has no argument `training`, too, and for
    those that assign trainable variables while they are trained (`SpectralNormalization`).

    Args:
      model: a built one.
      weights: a value for each trainable variable.
      states: the same for the non-trainable variables.
      inputs: as the model takes them.
      training: as in `model(inputs, training=...)`.
    """
    given = [*zip(model.trainable_variables, weights, strict=True)]
    given += zip(model.non_trainable_variables, states, strict=True)
    with keras.StatelessScope(state_mapping=given, collect_losses=True) as scope:
        outputs = model(inputs, training=training)
        losses = list(model.losses)
    # A variable that was not assigned comes back as the very tensor that was given.
    return Called(
        outputs,
        [scope.get_current_value(v) for v in model.trainable_variables],
        [scope.get_current_value(v) for v in model.non_trainable_variables],
        losses,
    )


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
        return call(model, member[0], member[1], inputs).outputs

    return tf.vectorized_map(outputs, (list(weights), list(states)))
