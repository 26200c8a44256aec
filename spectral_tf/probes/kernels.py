"""The weight matrices of a network's layers."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np


def kernel_matrices(
    model: keras.Model, weights: Sequence[np.ndarray]
) -> Mapping[str, np.ndarray]:
    """The kernels of the dense layers by layer name, in the order of the model.

    Args:
      model: gives the names; its own variables are not read.
      weights: one array for each trainable variable, [*shape] or [e, *shape] for e members.

    Returns:
      {layer name: [..., inputs, outputs]} for every trainable matrix named `kernel`.
    """
    pairs = zip(model.trainable_variables, weights, strict=True)
    return {
        variable.path.split("/")[-2]: np.asarray(array)
        for variable, array in pairs
        if variable.name == "kernel" and len(variable.shape) == 2
    }
