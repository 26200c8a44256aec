"""The weight matrices of a network's layers."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np


def kernel_matrices(model: keras.Model, weights: Sequence[np.ndarray]) -> Mapping[str, np.ndarray]:
    """The kernels of the dense layers by layer name, in the order of the model.

    Args:
      model: gives the names; its own variables are not read.
      weights: one array for each trainable variable, [*shape] or [e, *shape] for e members.

    Returns:
      {layer name: [..., inputs, outputs]} for every trainable matrix named `kernel`.
    """
    pairs = zip(model.trainable_variables, weights, strict=True)
    return {_layer(v): np.asarray(array) for v, array in pairs if _is_matrix(v)}


def kernel_names(model: keras.Model) -> list[str]:
    """The names of the layers in `kernel_matrices`, in its order."""
    return [_layer(variable) for variable in model.trainable_variables if _is_matrix(variable)]


def _is_matrix(variable: keras.Variable) -> bool:
    return variable.name == "kernel" and len(variable.shape) == 2


def _layer(variable: keras.Variable) -> str:
    return variable.path.rsplit("/", 1)[0]
