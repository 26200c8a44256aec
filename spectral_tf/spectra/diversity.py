"""How diverse the members of a class are, and how far apart classes, by images or features."""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


def mean_distance(members: ArrayLike) -> float:
    """The mean of |x_i - x_j|_2 over all pairs i < j.

    Args:
      members: shape [n, ...], n at least 2.

    Returns:
      in the members' unit, at least 0.

    Raises:
      UserError: fewer than 2 members.

    >>> mean_distance([[0.0, 0.0], [3.0, 4.0]])
    5.0
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

    >>> total_variance([[0.0, 1.0], [2.0, 1.0]])
    2.0
    """
    return float(_rows(members).var(axis=0, ddof=1).sum())


def mean_angle(members: ArrayLike) -> float:
    """The mean of 1 - cos(x_i, x_j) over all pairs i < j.

    Args:
      members: shape [n, ...], n at least 2, none zero.

    Returns:
      in [0, 2]; 0 for members of one direction. What unrelated members have depends on their signs:
      1 on average if all signs are as likely, since cosines then cancel. Members without negative
      entries, such as features after a ReLU, have cosines of at least 0, so in [0, 1], and 1 only
      if no two share an entry above 0. Unrelated ones with equally distributed entries in many
      dimensions have 1 - E[x]^2 / E[x^2]: 1 - 1/pi = 0.68 for max(0, z), z standard normal.

    Raises:
      UserError: fewer than 2 members, or one that is zero.

    >>> mean_angle([[1.0, 0.0], [0.0, 2.0]])
    1.0
    >>> z = np.random.default_rng(0).standard_normal((50, 10_000))
    >>> round(mean_angle(z), 2), round(mean_angle(np.maximum(z, 0)), 2)
    (1.0, 0.68)
    """
    rows = _rows(members)
    _refuse_zero(rows)
    return float(scipy.spatial.distance.pdist(rows, "cosine").mean())


def class_distances(
    members: ArrayLike, labels: ArrayLike, *, metric: str = "euclidean"
) -> NDArray[np.float64]:
    """D[a, b], the mean distance of a member of class a and one of class b, two different members.

    Args:
      members: shape [n, ...], at least 2 of each class.
      labels: of each, whole numbers 0 ... C - 1, shape [n].
      metric: `euclidean`, |x - y|_2, or `cosine`, 1 - cos(x, y), which is not for zero members.

    Returns:
      float64, shape [C, C], symmetric; the diagonal is `mean_distance` (`mean_angle`) of a class.

    Raises:
      UserError: another metric, a class with fewer than 2 members, a zero member and its angle.

    >>> class_distances([[0.0], [2.0], [10.0], [12.0]], [0, 0, 1, 1])
    array([[ 2., 10.],
           [10.,  2.]])
    """
    if metric not in ("euclidean", "cosine"):
        raise UserError("metric", expected="euclidean or cosine", got=metric, hint="name one")
    rows, given = _rows(members), np.asarray(labels)
    if metric == "cosine":
        _refuse_zero(rows)
    classes = [_rows(rows[given == c]) for c in range(int(given.max()) + 1)]
    found = np.empty((len(classes), len(classes)))
    for a, own in enumerate(classes):
        found[a, a] = scipy.spatial.distance.pdist(own, metric).mean()
        for b, other in enumerate(classes[:a]):
            found[a, b] = found[b, a] = scipy.spatial.distance.cdist(own, other, metric).mean()
    return found


def merged_diversity(distances: ArrayLike, groups: ArrayLike) -> float:
    """How diverse merged classes are: the mean distance of two random members of a super-class.

    (1/S) sum_s (1/k_s^2) sum_{a, b in s} D[a, b] over S super-classes of k_s classes each, all
    classes being equally frequent.

    Args:
      distances: D between and within classes, as `class_distances` gives them, shape [C, C].
      groups: the super-class of each class, 0 ... S - 1, shape [C].

    Returns:
      in the unit of the distances; their mean diagonal where no class is merged.

    Raises:
      UserError: other shapes.

    >>> merged_diversity([[2.0, 10.0], [10.0, 2.0]], [0, 0])
    6.0
    """
    d, of = np.asarray(distances, np.float64), np.asarray(groups)
    if d.ndim != 2 or d.shape != (of.size, of.size):
        raise UserError(
            "distances",
            expected=f"shape [{of.size}, {of.size}], a group for each class",
            got=f"shape {d.shape}",
            hint="use class_distances",
        )
    return float(np.mean([d[np.ix_(of == s, of == s)].mean() for s in np.unique(of)]))


def _refuse_zero(rows: NDArray[np.float64]) -> None:
    if not np.linalg.norm(rows, axis=1).min() > 0:
        raise UserError(
            "members", expected="none that is zero", got="one", hint="use another measure"
        )


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
