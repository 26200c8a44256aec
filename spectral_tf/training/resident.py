"""Small data sets made resident."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from spectral_tf.errors import UserError


def resident(datasets: Sequence[tf.data.Dataset]) -> tuple[np.ndarray, np.ndarray]:
    """Reads every member's data set into memory, once.

    Args:
      datasets: one for each member, of (input, target) pairs, unbatched and finite.

    Returns:
      inputs [e, n, ...], or [1, n, ...] if all members share them, and targets [e, n, ...].

    Raises:
      UserError: a data set without a known finite size, or of another shape than the first.
    """
    inputs: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for dataset in datasets:
        size = int(dataset.cardinality())
        if size < 1:
            raise UserError(
                "datasets",
                expected="finite, unbatched data sets with a known number of samples",
                got=f"cardinality {size}",
                hint="use .take(n) or .apply(tf.data.experimental.assert_cardinality(n))",
            )
        x, y = next(iter(dataset.batch(size)))
        inputs.append(x.numpy())
        targets.append(y.numpy())
        if inputs[-1].shape != inputs[0].shape or targets[-1].shape != targets[0].shape:
            raise UserError(
                "datasets",
                expected="the same shapes for all members, "
                f"inputs {inputs[0].shape} and targets {targets[0].shape}",
                got=f"{inputs[-1].shape} and {targets[-1].shape} for member {len(inputs) - 1}",
                hint="train members of different sizes in separate ensembles",
            )
        if len(inputs) > 1 and np.array_equal(inputs[-1], inputs[0]):
            inputs[-1] = inputs[0]
    if all(x is inputs[0] for x in inputs):
        inputs = inputs[:1]
    return np.stack(inputs), np.stack(targets)
