"""Small data sets made resident."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from spectral_tf.errors import UserError

# An array, or a list, a tuple or a dictionary of arrays: the inputs of a model.
Arrays = Any
# (inputs, targets), or a tf.data.Dataset of such pairs.
Data = Any


def of_each_member(datasets: Data | Sequence[Data], num_members: int) -> list[Data]:
    """One data set for each member.

    Args:
      datasets: a sequence of them, or one that all members share.
      num_members: e.

    Raises:
      UserError: another number of them, or nothing of the kind.
    """
    one = isinstance(datasets, tf.data.Dataset) or _is_pair(datasets)
    each: list[Data] | None = [datasets] * max(1, num_members) if one else None
    if isinstance(datasets, Sequence) and not one:
        each = list(datasets)
    if each is None or not all(isinstance(d, tf.data.Dataset) or _is_pair(d) for d in each):
        raise UserError(
            "datasets",
            expected="a tf.data.Dataset or a pair of arrays (inputs, targets), one for all members "
            "or one for each",
            got=type(datasets).__name__ if each is None else [type(d).__name__ for d in each[:3]],
            hint="sample weights, generators and several targets are not taken",
        )
    if not num_members or len(each) != num_members:
        raise UserError(
            "datasets",
            expected="at least one member and one data set for each, or one for all",
            got=f"{num_members} seeds and {len(each)} data sets",
            hint="give one data set alone for members that share it",
        )
    return each


def _is_pair(data: Any) -> bool:
    """Whether it is (inputs, targets); two pairs in a tuple are of two members."""
    return (
        isinstance(data, tuple)
        and len(data) == 2
        and not isinstance(data[1], (tuple, Mapping, tf.data.Dataset))
    )


def resident(datasets: Sequence[Data]) -> tuple[Arrays, np.ndarray]:
    """Reads every member's data set into memory, once.

    Args:
      datasets: one for each member: `tf.data.Dataset`s of (input, target) pairs, unbatched and
        finite, or pairs of arrays ([n, ...], [n, ...]). Inputs may be several, as a list, a tuple
        or a dictionary.

    Returns:
      inputs [e, n, ...], or [1, n, ...] if all members share them, and targets [e, n, ...].

    Raises:
      UserError: a data set without a known finite size, or of another shape than the first; what
        are no pairs, no numbers or not as many inputs as targets.
    """
    inputs: list[Arrays] = []
    targets: list[np.ndarray] = []
    read: dict[int, tuple[Arrays, np.ndarray]] = {}
    for dataset in datasets:
        if id(dataset) not in read:
            read[id(dataset)] = _arrays(dataset)
        x, y = read[id(dataset)]
        first = (inputs or [x])[0], (targets or [y])[0]
        if _shapes((x, y)) != _shapes(first):
            raise UserError(
                "datasets",
                expected="the same shapes for all members, "
                f"inputs {_shapes(first[0])} and targets {_shapes(first[1])}",
                got=f"{_shapes(x)} and {_shapes(y)} for member {len(inputs)}",
                hint="train members of different sizes in separate ensembles",
            )
        inputs.append(first[0] if _equal(x, first[0]) else x)
        targets.append(y)
    if all(x is inputs[0] for x in inputs):
        inputs = inputs[:1]
    return tf.nest.map_structure(lambda *each: np.stack(each), *inputs), np.stack(targets)


def _arrays(dataset: Data) -> tuple[Arrays, np.ndarray]:
    if isinstance(dataset, tf.data.Dataset):
        size = int(dataset.cardinality())
        if size < 1:
            raise UserError(
                "datasets",
                expected="finite, unbatched data sets with a known number of samples",
                got=f"cardinality {size}",
                hint="use .take(n) or .apply(tf.data.experimental.assert_cardinality(n))",
            )
        dataset = next(iter(dataset.batch(size)))
    if not _is_pair(dataset):
        raise UserError(
            "datasets",
            expected="pairs of inputs and targets",
            got=f"elements of {len(dataset)}" if isinstance(dataset, tuple) else "no pairs",
            hint="sample weights and several targets are not taken",
        )
    x, y = dataset
    x, y = tf.nest.map_structure(np.asarray, x), np.asarray(y)
    leaves = [*tf.nest.flatten(x), y]
    lengths = [a.shape[0] if a.ndim else None for a in leaves]
    if len(set(lengths)) > 1 or not lengths[0] or any(a.dtype.kind in "OUSM" for a in leaves):
        raise UserError(
            "datasets",
            expected="arrays of numbers, with one sample for each target",
            got=f"inputs {_short(_shapes(x))} of {leaves[0].dtype}, targets {y.shape} of {y.dtype}",
            hint="make arrays of lists (numpy.asarray), and numbers of words",
        )
    return x, y


def _shapes(arrays: Any) -> Any:
    return tf.nest.map_structure(lambda a: a.shape, arrays)


def _short(shapes: Any) -> str:
    told = str(shapes)
    return told if len(told) < 80 else f"{told[:77]}..."


def _equal(first: Arrays, second: Arrays) -> bool:
    if first is second:
        return True
    pairs = zip(tf.nest.flatten(first), tf.nest.flatten(second), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
