"""Which paths models are compared on: the same ones for all of them.

Each model's own correctly answered paths will not do. A wrong answer at an end puts a change of
class into a path, and better models are correct on harder paths, so they would be asked other
questions than worse ones. Paths that all of them answer correctly are the same for all, and easy;
what is so anywhere shows by `difficulty`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


def common_paths(correct: ArrayLike) -> NDArray[np.bool_]:
    """The paths that all compared models answer correctly at both ends: the same for all of them.

    Args:
      correct: whether each model answers both ends correctly, shape [m, p], of 0 and 1.

    Returns:
      bool, shape [p].

    Raises:
      UserError: no models, or anything but 0 and 1.

    >>> common_paths([[True, True, False], [True, False, False]])
    array([ True, False, False])
    """
    return np.logical_and.reduce(_correct(correct), axis=0)


def shared_paths(correct: ArrayLike, other: ArrayLike) -> NDArray[np.bool_]:
    """The paths that two models both answer correctly at both ends, for paired differences.

    Args:
      correct, other: of either model, shape [p], of 0 and 1.

    Returns:
      bool, shape [p].

    Raises:
      UserError: of other shapes, or anything but 0 and 1.

    >>> shared_paths([True, True, False], [True, False, False])
    array([ True, False, False])
    """
    both = [np.asarray(correct), np.asarray(other)]
    if both[0].shape != both[1].shape:
        raise UserError(
            "correct",
            expected="the same paths for both models",
            got=f"{both[0].shape} and {both[1].shape}",
            hint="measure both along the same paths",
        )
    return common_paths(np.stack(both))


def difficulty(correct: ArrayLike) -> NDArray[np.int64]:
    """How many of the compared models answer both ends of each path correctly: 0 is hardest.

    Among paths of one difficulty measures may be told apart by it; all models answer all of them.

    Args:
      correct: shape [m, p], of 0 and 1.

    Returns:
      int64, shape [p], from 0 to m.

    Raises:
      UserError: no models, or anything but 0 and 1.

    >>> difficulty([[True, True, False], [True, False, False]])
    array([2, 1, 0])
    """
    return _correct(correct).sum(axis=0)


def _correct(correct: ArrayLike) -> NDArray[np.bool_]:
    given = np.asarray(correct)
    other = ~np.isin(given, (0, 1))
    if given.ndim != 2 or not len(given) or other.any():
        raise UserError(
            "correct",
            expected="true or false for every model and path, [models, paths]",
            got=f"{given[other].flat[0]}" if other.any() else f"shape {given.shape}",
            hint="put the models on the first axis, and leave out paths that cannot be measured",
        )
    return given.astype(bool)
