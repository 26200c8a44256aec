"""Samples as a `tf.data` pipeline: the one way in which every task hands out its data."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import tensorflow as tf


def pairs(inputs: NDArray, targets: NDArray) -> "tf.data.Dataset":
    """Pairs (inputs [d], targets [o]) in float32, in the given order, unbatched.

    Serves any `model.fit(pairs(...).batch(...))` as well as the ensemble trainer.

    Args:
      inputs: shape [n] (then d = 1) or [n, d].
      targets: shape [n] (then o = 1) or [n, o].
    """
    import tensorflow as tf

    columns = (np.reshape(inputs, (len(inputs), -1)), np.reshape(targets, (len(inputs), -1)))
    return tf.data.Dataset.from_tensor_slices(tuple(c.astype(np.float32) for c in columns))
