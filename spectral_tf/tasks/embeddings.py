"""Flat clouds of points to compare with a curved manifold, and the scale of a cloud."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors

from spectral_tf.errors import UserError


class Scale(NamedTuple):
    """How large a cloud of points is.

    Attributes:
      rms_norm: sqrt(mean |x|^2).
      rms_distance: sqrt(mean |x - y|^2) over independent pairs: sqrt(2) times the root of the
        total variance.
      nearest_distance: median distance to the nearest other point.
      dimensions: (sum l)^2 / sum l^2 of the eigenvalues l of the covariance (participation ratio).
    """

    rms_norm: float
    rms_distance: float
    nearest_distance: float
    dimensions: float


def scale(points: ArrayLike) -> Scale:
    """The scale of points [n, d], n at least 2.

    Raises:
      UserError: fewer points.
    """
    x = np.asarray(points, np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise UserError("points", expected="[n, d], n of 2 or more", got=x.shape, hint="add points")
    variances = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2 / len(x)
    squares = (x**2).sum(axis=1)
    # In pieces: n x n distances may not fit into memory.
    nearest, _ = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(x).kneighbors()
    total = variances.sum()
    return Scale(
        float(np.sqrt(squares.mean())),
        float(np.sqrt(2 * total)),
        float(np.median(nearest)),
        float(total**2 / (variances**2).sum()) if total > 0 else 0.0,
    )


def flat(
    num_points: int, num_dimensions: int, size: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Points with independent U(0, 1) in the first `num_dimensions` of `size` entries, else 0.

    Source: Rahaman et al. (2019), experiment 8 (64 of 784).

    Raises:
      UserError: not 1 <= num_dimensions <= size.
    """
    if not 1 <= num_dimensions <= size:
        raise UserError(
            "latent_dim", expected=f"1 to {size} dimensions", got=num_dimensions, hint="lower it"
        )
    points = np.zeros((num_points, size), np.float32)
    points[:, :num_dimensions] = generator.uniform(size=(num_points, num_dimensions))
    return points


def flat_of_scale(
    manifold: ArrayLike, num_dimensions: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """`flat`, brought to the mean square norm and the mean square distance of other points.

    a (u - 1/2) + b in each of the first entries, with num_dimensions a^2 / 12 the total variance of
    the others and num_dimensions b^2 the square of their mean.

    Args:
      manifold: the points to be matched, shape [n, d].
      num_dimensions: at most d.
      generator: of u.

    Returns:
      Shape [n, d], matching up to the sampling error of u.
    """
    x = np.asarray(manifold, np.float64)
    points = flat(*(len(x), num_dimensions, x.shape[1]), generator)
    stretch = np.sqrt(12 * x.var(axis=0).sum() / num_dimensions)
    shift = np.sqrt((x.mean(axis=0) ** 2).sum() / num_dimensions)
    points[:, :num_dimensions] = stretch * (points[:, :num_dimensions] - 0.5) + shift
    return points


def flat_of_covariance(
    manifold: ArrayLike, num_dimensions: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Uniform points in the plane of the largest principal components of other points.

    Mean and principal axes are theirs; the variances along the `num_dimensions` axes are too, but
    for one factor that restores the total variance.

    Args:
      manifold: the points to be matched, shape [n, d].
      num_dimensions: at most n and d.
      generator: of the uniform numbers.

    Returns:
      Shape [n, d].

    Raises:
      UserError: points that are all the same.
    """
    x = np.asarray(manifold, np.float64)
    if not np.ptp(x, axis=0).any():
        raise UserError("images", expected="some that differ", got="one", hint="see the data")
    points = flat(len(x), num_dimensions, x.shape[1], generator)[:, :num_dimensions]
    _, singular, axes = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    kept = singular[:num_dimensions]
    deviations = kept * np.sqrt((singular**2).sum() / (kept**2).sum() / len(x))
    unit = (points[:, : kept.size] - 0.5) * np.sqrt(12)
    return (x.mean(axis=0) + (unit * deviations) @ axes[: kept.size]).astype(np.float32)
