"""Plain gradient descent, for which theory predicts the training."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class GradientDescent(NamedTuple):
    """w_t = w - rate * g; an optimiser of `Ensemble` like `Adam`, without any slots."""

    learning_rate: float

    def init(self, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Nothing."""
        return []

    def update(
        self,
        gradients: Sequence[tf.Tensor],
        slots: Sequence[tf.Tensor],
        weights: Sequence[tf.Tensor],
        step: tf.Tensor,
        active: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """One step of one network; arguments and result as for `Adam.update`."""
        moved = [
            tf.where(active, w - self.learning_rate * g, w)
            for w, g in zip(weights, gradients, strict=True)
        ]
        return moved, list(slots)
