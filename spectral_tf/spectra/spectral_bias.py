"""One number for the spectral bias on points of any dimension, by Monte-Carlo convolution.

The residual r = t - f is split at a cutoff frequency k0. With rho the density of the points, the
function r sqrt(rho) has the mean squared error as its energy (Parseval), and so

  E_low = integral over |k| < k0 of |F(r sqrt(rho))(k)|^2, E_high = mean r^2 - E_low, and
  spectral bias = (E_high - E_low) / (E_high + E_low):

1 if all that is left to learn is high, -1 if all is low, 0 if as much is. The integral over k is a
convolution with the ideal low pass h, the transform of the ball |k| < k0, and both integrals over
space are means over the points.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.filtering import BLOCK_BYTES, checked_points, squared_distances
from spectral_tf.spectra.nonuniform import coefficients_at


class SpectralBias(NamedTuple):
    """What `spectral_bias` finds for each of b cutoffs.

    Attributes:
      cutoffs: k0, in cycles per unit, shape [b].
      low: E_low over the variance of the target, shape [b, ...]; an estimate without bias, which
        may come out below 0.
      high: E_high over the same, so that their sum is the share of the variance that is not
        explained.
      bias: (high - low) / (high + low), shape [b, ...]; NaN where nothing is left to learn.
      low_error: standard error of `low`, the points drawn anew with a density that is known.
      bias_error: of `bias`, by the jackknife over points.
    """

    cutoffs: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    bias: NDArray[np.float64]
    low_error: NDArray[np.float64]
    bias_error: NDArray[np.float64]


def spectral_bias(
    points: ArrayLike,
    targets: ArrayLike,
    outputs: ArrayLike,
    cutoffs: ArrayLike,
    *,
    density: ArrayLike | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> SpectralBias:
    """How much of what is left to learn is of low and of high frequency, for each cutoff.

    E_low = 1 / (n (n-1)) sum over i != j of g_i g_j h(x_i - x_j), g = r / sqrt(rho), where
    h(u) = (k0 / |u|)^(d/2) J_(d/2)(2 pi k0 |u|), in one dimension sin(2 pi k0 u) / (pi u). Leaving
    out i = j takes away the bias h(0) / n of squaring a Monte-Carlo estimate.

    Its standard error grows with the volume of the ball, about (k0 times the extent of the data)^d
    over n: trust it where `bias_error` is small, which in more than about five dimensions it is at
    low cutoffs alone. There `filter_errors` asks less of the data.

    Args:
      points: independent draws from rho, shape [n, d] or [n], n at least 3, in units.
      targets: t, shape [n] or [n, c].
      outputs: f, shape [..., n] or [..., n, c]; steps or models in front. Zeros give the target's
        own split.
      cutoffs: k0, above 0, shape [b], in cycles per unit; see `half_energy_cutoff`.
      density: rho at the points, shape [n], integral 1, in points per unit^d; default
        `kernel_density(points)`.
      block_bytes: the largest matrix in memory; more points are taken in blocks of rows.

    Returns:
      low, high, bias, [b, ...] (all classes count together). Cost: n^2 (d + b (c s + about 30 for
      a Bessel function)) products for s outputs; memory: about 6 blocks, and no n x n matrix
      above their size.

    Raises:
      UserError: shapes do not match, numbers that are not finite, a cutoff or a density that is not
        above 0, a target that is constant.

    Source: Kiessling and Thor (2022), "A computable definition of the spectral bias", method 2:
    the definition, the convolution by Monte Carlo, the density by kernels where it is unknown. The
    weights (sqrt(rho), so that both parts add up to the error), the ball, the estimate without bias
    and the errors are ours; theirs may differ in constants.

    >>> x = np.random.default_rng(0).uniform(size=800)
    >>> slow, fast = np.cos(2 * np.pi * 2 * x), np.cos(2 * np.pi * 30 * x)
    >>> found = spectral_bias(x, slow + fast, slow, [10.0], density=np.ones(800))
    >>> bool(abs(found.bias[0] - 1) < 0.1)
    True
    """
    x, t, k0 = checked_points(points, targets, cutoffs, None)
    f = np.asarray(outputs, dtype=np.float64)
    n, leading = len(x), f.shape[: f.ndim - t.ndim]
    if f.shape[f.ndim - t.ndim :] != t.shape or n < 3 or not np.all(np.isfinite(f)):
        raise UserError(
            "outputs",
            expected=f"finite numbers whose last axes are those of the targets, {t.shape}, for 3 "
            "points or more",
            got=f"shape {f.shape}",
            hint="put steps or models on the first axes; of a model with one output take [..., 0]",
        )
    rho = _density(x, density, block_bytes)
    variance = float(((t - t.mean(axis=0)) ** 2).mean(axis=0).sum())
    if not variance > (1e-12 * np.abs(t).max()) ** 2:
        raise UserError(
            "targets", expected="targets that vary", got="a constant", hint="check the targets"
        )
    left = (t - f).reshape(-1, n, t.size // n)
    squares = (left**2).sum(axis=-1) / variance  # [outputs, n]
    # [n, outputs x classes], as one product of matrices takes it.
    g = np.moveaxis(left, 0, 1).reshape(n, -1) / np.sqrt(rho * variance)[:, np.newaxis]
    rows_of = np.empty((k0.size, len(left), n))
    for rows, b, kernel in _balls(x, k0, block_bytes):
        pairs = g[rows] * (kernel @ g)
        rows_of[b, :, rows] = pairs.reshape(-1, *left.shape[::2]).sum(axis=-1).T
    sums = rows_of.sum(axis=-1)  # [b, outputs]
    total, low = squares.mean(axis=-1), sums / (n * (n - 1))
    low_error = 2 * (rows_of / (n - 1)).std(axis=-1, ddof=1) / np.sqrt(n)
    # Without one point each: its row and its column.
    without = (sums[..., np.newaxis] - 2 * rows_of) / ((n - 1) * (n - 2))
    rest = (n * total[:, np.newaxis] - squares) / (n - 1)
    there = total > 1e-24
    with np.errstate(invalid="ignore", divide="ignore"):
        bias = np.where(there, 1 - 2 * low / total, np.nan)
        jack = 1 - 2 * without / rest
        spread = ((jack - jack.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1) * (n - 1) / n
    bias_error = np.where(there, np.sqrt(spread), np.nan)
    found = (v.reshape(k0.size, *leading) for v in (low, total - low, bias, low_error, bias_error))
    return SpectralBias(k0, *found)


def half_energy_cutoff(
    points: ArrayLike,
    targets: ArrayLike,
    *,
    density: ArrayLike | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> float:
    """The cutoff below which half of the target's variance lies, to 1 %.

    With it the spectral bias is 0 before anything is learned (the mean left aside).

    Args:
      points, targets, density, block_bytes: as for `spectral_bias`.

    Returns:
      k0 in cycles per unit. Cost: some 20 times that of a cutoff in `spectral_bias`.

    Raises:
      UserError: as `spectral_bias`; no cutoff below that of the nearest neighbours holds half.
    """
    x, t, _ = checked_points(points, targets, [1.0], None)
    rho = _density(x, density, block_bytes)
    mean = np.broadcast_to(t.mean(axis=0), t.shape)

    def low_share(cutoff: float) -> float:
        found = spectral_bias(x, t, mean, [cutoff], density=rho, block_bytes=block_bytes)
        return float(found.low[0])

    extent = float(np.ptp(x, axis=0).max())
    low, high = 0.0, 0.25 / extent
    while low_share(high) < 0.5:
        low, high = high, 2 * high
        if high * extent > len(x):
            raise UserError(
                "targets",
                expected="a target half of whose variance the points can tell apart from noise",
                got=f"less below {high:g} cycles per unit",
                hint="give more points, or cutoffs of your own",
            )
    while high - low > 0.01 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if low_share(middle) >= 0.5 else (middle, high)
    return high


def kernel_density(points: ArrayLike, *, block_bytes: int = BLOCK_BYTES) -> NDArray[np.float64]:
    """The density of points at each of them, from all others, by Gaussian kernels.

    rho_i = 1 / (n - 1) sum over j != i of N(x_i - x_j; 0, h^2 C), C the covariance of the points
    and h = n^(-1/(d + 4)), Scott's rule. Without j != i a point would be its own neighbour, which
    in many dimensions is all that such an estimate sees. Borders are smeared by h; in more than
    about five dimensions take it for what it is, a rough weight.

    Args:
      points: shape [n, d] or [n], n above d, in units.
      block_bytes: the largest matrix in memory.

    Returns:
      float64, shape [n], above 0, in points per unit^d, integral 1. Cost: n^2 (d + 10) products.

    Raises:
      UserError: points on a plane of fewer dimensions, or one so far off that the density there is
        0.

    Source: Scott (1992); `scipy.stats.gaussian_kde`, less the point itself.
    """
    given = np.asarray(points)
    x, _, _ = checked_points(given, np.zeros(len(given)), [1.0], None)
    n, d = x.shape
    covariance = np.atleast_2d(np.cov(x, rowvar=False))
    values, vectors = np.linalg.eigh(covariance)
    if n <= d or not values[0] > 1e-10 * values[-1]:
        raise UserError(
            "density",
            expected=f"points that fill {d} dimensions",
            got=f"{n} that lie on a plane of fewer",
            hint="project them on their principal components first, or give the density",
        )
    width = n ** (-1 / (d + 4))
    white = x @ vectors / np.sqrt(values) / width
    log_volume = d * np.log(width * np.sqrt(2 * np.pi)) + 0.5 * np.log(values).sum()
    sums = np.empty(n)
    block = max(1, block_bytes // (8 * n))
    for start in range(0, n, block):
        rows = slice(start, min(start + block, n))
        squares = squared_distances(white, white[rows], None)
        squares[np.arange(rows.stop - start), np.arange(start, rows.stop)] = np.inf
        sums[rows] = scipy.special.logsumexp(squares / -2, axis=1)
    log_density = sums - np.log(n - 1) - log_volume
    density = np.exp(log_density)
    if not np.all((density > 0) & (density < np.inf)):
        raise UserError(
            "density",
            expected="points with others near them",
            got=f"{np.count_nonzero(~(density > 0))} far from all others",
            hint="leave those out, rescale the points, or give the density",
        )
    return density


def projected_coefficients(
    points: ArrayLike,
    values: ArrayLike,
    frequencies: ArrayLike,
    direction: ArrayLike | None = None,
) -> NDArray[np.complex128]:
    """F(k) = (1/n) sum_j y_j exp(-2 pi i k p . x_j) of values along one direction p, |p| = 1.

    A Monte-Carlo estimate of the transform of y rho: of functions and of where points lie. Compare
    targets and outputs on the same points; a constant is not 0 at k > 0.

    Args:
      points: shape [n, d], in units.
      values: real, shape [..., n], such as one class of the targets.
      frequencies: shape [m], in cycles per unit along p.
      direction: shape [d], of any length; default: the first principal component of the points.

    Returns:
      complex128, shape [..., m]. Cost: n m products for each row, and for the default n d^2.

    Raises:
      UserError: shapes do not match, or a direction of length 0.

    Source: Xu, Zhang, Luo, Xiao and Ma (2020), "Frequency principle", the projection method.

    >>> points = np.array([[0.0, 9.0], [0.25, 9.0], [0.5, 9.0], [0.75, 9.0]])
    >>> wave = np.cos(2 * np.pi * points[:, 0])
    >>> abs(projected_coefficients(points, wave, [0, 1], [2.0, 0.0])).round(9)
    array([0. , 0.5])
    """
    x = np.asarray(points, dtype=np.float64)
    if x.ndim != 2:
        raise UserError(
            "points", expected="shape [n, d]", got=f"{x.shape}", hint="flatten images to [n, d]"
        )
    if direction is None:
        centred = x - x.mean(axis=0)
        p = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    else:
        p = np.asarray(direction, dtype=np.float64)
    length = float(np.linalg.norm(p))
    if p.shape != x.shape[1:] or not 0 < length < np.inf:
        raise UserError(
            "direction",
            expected=f"{x.shape[1]} numbers that are not all 0",
            got=f"shape {p.shape}",
            hint="leave it out for the first principal component",
        )
    return coefficients_at(values, x @ (p / length), frequencies)


def _density(x: NDArray, density: ArrayLike | None, block_bytes: int) -> NDArray[np.float64]:
    if density is None:
        return kernel_density(x, block_bytes=block_bytes)
    rho = np.asarray(density, dtype=np.float64)
    if rho.shape != (len(x),) or not np.all((rho > 0) & (rho < np.inf)):
        raise UserError(
            "density",
            expected=f"{len(x)} finite numbers above 0, one for each point",
            got=f"shape {rho.shape}",
            hint="leave it out to have it estimated",
        )
    return rho


def _balls(x: NDArray, cutoffs: NDArray, block_bytes: int) -> Iterator[tuple[slice, int, NDArray]]:
    """Rows, number of the cutoff, and h between their points and all; 0 of a point and itself."""
    n, d = x.shape
    block = max(1, block_bytes // (8 * n))
    for start in range(0, n, block):
        rows = slice(start, min(start + block, n))
        distances = np.sqrt(squared_distances(x, x[rows], None))
        own = np.arange(rows.stop - start), np.arange(start, rows.stop)
        for b, k0 in enumerate(cutoffs):
            kernel = ball_kernel(distances, k0, d)
            kernel[own] = 0.0
            yield rows, b, kernel


def ball_kernel(distances: ArrayLike, cutoff: float, dimensions: int) -> NDArray[np.float64]:
    """h(u) = (k0 / |u|)^(d/2) J_(d/2)(2 pi k0 |u|): the integral of exp(2 pi i k u) over |k| < k0.

    Args:
      distances: |u|, of any shape, in units.
      cutoff: k0, in cycles per unit.
      dimensions: d.

    Returns:
      float64, the same shape, in units^-d; at 0 the volume of the ball.

    >>> ball_kernel([0.0, 0.25], 1.0, 1).round(9)
    array([2.        , 1.27323955])
    """
    r = np.asarray(distances, dtype=np.float64)
    if dimensions == 1:
        return 2 * cutoff * np.sinc(2 * cutoff * r)
    order = dimensions / 2
    volume = (np.sqrt(np.pi) * cutoff) ** dimensions / scipy.special.gamma(order + 1)
    # Nearer than this the Bessel function is its first term to 1e-12.
    small = 2 * np.pi * cutoff * r < 1e-6
    safe = np.where(small, 1.0, r)
    angles = 2 * np.pi * cutoff * safe
    # The special function of the plane is several times faster than the general one.
    wave = scipy.special.j1(angles) if dimensions == 2 else scipy.special.jv(order, angles)
    far = (cutoff / safe) ** order * wave
    return np.where(small, volume, far)
