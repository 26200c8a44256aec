"""Adam as the papers use it, as a pure function of explicit state."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Adam(NamedTuple):
    """Adam with epsilon added after bias correction (PyTorch's form; Kingma and Ba, algorithm 1).

    m_t = b1 m + (1 - b1) g,  v_t = b2 v + (1 - b2) g^2,
    w_t = w - rate * [m_t / (1 - b1^t)] / (sqrt(v_t / (1 - b2^t)) + epsilon).

    `keras.optimizers.Adam` adds epsilon (1e-7 by default) before the correction of v, which at the
    first step acts like 3e-6 here.
    """

    learning_rate: float = 3e-4
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def init(self, weights: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The slots of an untrained network: the running means m, then v, zeros.

        Args:
          weights: of it, or of several [e, ...].
        """
        return [np.zeros_like(w) for _ in range(2) for w in weights]

    def update(
        self,
        gradients: Sequence[tf.Tensor],
        slots: Sequence[tf.Tensor],
        weights: Sequence[tf.Tensor],
        step: tf.Tensor,
        active: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """One step of one network.

        Args:
          gradients, weights: tensors of equal shapes.
          slots: as `init` or the last update gave them.
          step: updates made before this one (t - 1), scalar integer.
          active: scalar boolean; where it is false, nothing changes, whatever the gradients hold.

        Returns:
          new (weights, slots).
        """
        t = tf.cast(step + 1, tf.float32)
        scale_1 = 1.0 / (1.0 - tf.pow(self.beta_1, t))
        scale_2 = 1.0 / (1.0 - tf.pow(self.beta_2, t))
        # An inactive member is held by its coefficients, which are scalars: selecting between old
        # and new state instead would read and write all of it once more in every step.
        rate = tf.where(active, self.learning_rate, 0.0)
        keep_1, take_1 = tf.where(active, self.beta_1, 1.0), tf.where(active, 1 - self.beta_1, 0.0)
        keep_2, take_2 = tf.where(active, self.beta_2, 1.0), tf.where(active, 1 - self.beta_2, 0.0)
        gradients = [tf.where(active, g, tf.zeros_like(g)) for g in gradients]
        first, second = slots[: len(weights)], slots[len(weights) :]
        first = [keep_1 * m + take_1 * g for m, g in zip(first, gradients, strict=True)]
        second = [keep_2 * v + take_2 * g * g for v, g in zip(second, gradients, strict=True)]
        moved = [
            w - rate * ((m * scale_1) / (tf.sqrt(v * scale_2) + self.epsilon))
            for w, m, v in zip(weights, first, second, strict=True)
        ]
        return moved, [*first, *second]
