"""Plain gradient descent, for which theory predicts the training."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class GradientDescent(NamedTuple):
    """w_t = w - rate * g; an optimiser of `Ensemble` like `Adam`, whose moments stay 0."""

    learning_rate: float

    def update(
        self,
        weights: Sequence[tf.Tensor],
        gradients: Sequence[tf.Tensor],
        first: Sequence[tf.Tensor],
        second: Sequence[tf.Tensor],
        step: tf.Tensor,
        active: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[tf.Tensor], list[tf.Tensor]]:
        """One step of one network; arguments and result as for `Adam.update`."""
        moved = [
            tf.where(active, w - self.learning_rate * g, w)
            for w, g in zip(weights, gradients, strict=True)
        ]
        return moved, list(first), list(second)
