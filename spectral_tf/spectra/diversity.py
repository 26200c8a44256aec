"""How diverse the members of a class are, by their images or by features of them."""

import numpy as np
import scipy.spatial.distance
from numpy.typing import ArrayLike

from spectral_tf.errors import UserError


def mean_distance(members: ArrayLike) -> float:
    """The mean of |x_i - x_j|_2 over all pairs i < j.

    Args:
      members: shape [n, ...], n at least 2.

    Returns:
      in the members' unit, at least 0.

    Raises:
      UserError: fewer than 2 members.
    """
    return float(scipy.spatial.distance.pdist(_rows(members)).mean())


def total_variance(members: ArrayLike) -> float:
    """The trace of the members' covariance, sum_d var(x_d), with n - 1 below.

    Args:
      members: shape [n, ...], n at least 2.

    Returns:
      in the square of the members' unit, at least 0.

    Raises:
      UserError: fewer than 2 members.
    """
    return float(_rows(members).var(axis=0, ddof=1).sum())


def mean_angle(members: ArrayLike) -> float:
    """The mean of 1 - cos(x_i, x_j) over all pairs i < j.

    Args:
      members: shape [n, ...], n at least 2, none zero.

    Returns:
      in [0, 2]; 0 for members of one direction, 1 on average for unrelated ones.

    Raises:
      UserError: fewer than 2 members, or one that is zero.
    """
    rows = _rows(members)
    norms = np.linalg.norm(rows, axis=1)
    if not norms.min() > 0:
        raise UserError(
            "members", expected="none that is zero", got="one", hint="use another measure"
        )
    return float(scipy.spatial.distance.pdist(rows, "cosine").mean())


def _rows(members: ArrayLike) -> np.ndarray:
    x = np.asarray(members, np.float64)
    if x.ndim < 2 or len(x) < 2:
        raise UserError(
            "members",
            expected="at least 2, on the first axis",
            got=f"shape {x.shape}",
            hint="take more images of the class",
        )
    return x.reshape(len(x), -1)
