"""Functions on points of many dimensions split into a low and a high part by a Gaussian filter.

Where a Fourier transform over the data means nothing (images in thousands of dimensions), a filter
over the data still does: each value is replaced by a mean over its neighbours. A Gaussian of
standard deviation sigma multiplies a plane wave of frequency k by exp(-2 pi^2 sigma^2 |k|^2), so
that it keeps half of the amplitude at |k| = 0.187 / sigma, up to the sampling of the points and
the borders of where they lie.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

# Of the kernel between some points and all: the largest matrix that is held.
BLOCK_BYTES = 64 * 2**20

# Half of the amplitude is left at this over sigma.
HALF_AMPLITUDE = float(np.sqrt(np.log(2) / 2)) / np.pi

# Less than this share of the whole is rounding.
_ROUNDING = 1e-12


class FilterErrors(NamedTuple):
    """What `filter_errors` finds for each of b bandwidths.

    Attributes:
      sigmas: in units of the points, shape [b].
      low: ||t_low - f_low|| / ||t_low||, shape [b, ...]; 0: learned, 1: as nothing; NaN where the
        target has no such part.
      high: the same of the high part.
      low_share: ||t_low||^2 / ||t||^2, shape [b]: what of the target is low.
      effective_points: that a mean is taken over, (sum_j G)^2 / sum_j G^2, median over points,
        shape [b]. Near 1 the filter sees no neighbours and everything is low; near n it sees all of
        them alike, and only the mean is.
    """

    sigmas: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    low_share: NDArray[np.float64]
    effective_points: NDArray[np.float64]

    @property
    def half_frequencies(self) -> NDArray[np.float64]:
        """At which half of the amplitude is left: sqrt(ln 2 / 2) / (pi sigma), in cycles/unit."""
        return HALF_AMPLITUDE / self.sigmas


def gaussian_low_pass(
    points: ArrayLike,
    values: ArrayLike,
    sigmas: ArrayLike,
    *,
    period: float | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> NDArray[np.float64]:
    """The low part y_low(x_i) = sum_j y_j G(x_i - x_j) / sum_j G(x_i - x_j); y - y_low is the high.

    G(u) = exp(-|u|^2 / (2 sigma^2)). The papers write exp(-|u|^2 / (2 delta)): delta is the
    variance, sigma^2. The sums include j = i, as theirs do.

    Args:
      points: shape [n, d] or [n], in units.
      values: real, shape [n] or [n, c].
      sigmas: standard deviations of the filter, above 0, shape [b], in units of the points.
      period: of all coordinates, if they are those of a torus: the nearest image is taken, right to
        exp(-period^2 / (8 sigma^2)).
      block_bytes: the largest kernel matrix in memory; more points are taken in blocks of rows.

    Returns:
      float64, shape [b, n] or [b, n, c], in the values' unit. Cost: n^2 (d + b (c + some 10 for
      exp)) products; memory: about 4 blocks beside the result, and no n x n matrix above their
      size.

    Raises:
      UserError: shapes do not match, numbers that are not finite, a sigma that is not above 0.

    Source: Xu, Zhang, Luo, Xiao and Ma (2020), "Frequency principle", the filtering method.

    >>> gaussian_low_pass([0.0, 1.0, 2.0], [3.0, 3.0, 3.0], [0.5]).round(9)
    array([[3., 3., 3.]])
    """
    x, y, s = checked_points(points, values, sigmas, period)
    columns = y.reshape(len(x), -1)
    low = np.empty((s.size, *columns.shape))
    for rows, b, kernel in _kernels(x, s, period, block_bytes):
        low[b, rows] = kernel @ columns / kernel.sum(axis=1, keepdims=True)
    return low.reshape(s.size, *y.shape)


def filter_errors(
    points: ArrayLike,
    targets: ArrayLike,
    outputs: ArrayLike,
    sigmas: ArrayLike,
    *,
    period: float | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> FilterErrors:
    """Relative errors of the low and the high part of what is learned, for a sweep of bandwidths.

    e_low = ||t_low - f_low|| / ||t_low|| and e_high = ||t_high - f_high|| / ||t_high||, norms over
    points and classes. The two parts are not orthogonal, and their energies do not sum to the
    whole: in between, a wave of frequency k is in both, by exp(-2 pi^2 sigma^2 |k|^2) in the low
      one.

    Args:
      points: shape [n, d] or [n], in units.
      targets: t, shape [n] or [n, c], such as one-hot labels.
      outputs: f, shape [..., n] or [..., n, c]; steps or models in front.
      sigmas: shape [b], in units of the points; see `filter_bandwidths`.
      period: as for `gaussian_low_pass`.
      block_bytes: the same.

    Returns:
      the errors, [b, ...] (without c: all classes count together). Cost: n^2 (d + b (c s + some
      10)) products for s outputs; memory: about 4 blocks, and twice the outputs in float64. 5,000
      points of 3,072 dimensions at 10 bandwidths, with 5 outputs, took 6 seconds on 2 cores.

    Raises:
      UserError: as `gaussian_low_pass`; outputs of another shape than the targets.

    Source: Xu, Zhang, Luo, Xiao and Ma (2020), "Frequency principle": Fig 3 and its equations.

    >>> x = np.arange(64) / 64
    >>> slow, fast = np.cos(2 * np.pi * x), np.cos(2 * np.pi * 20 * x)
    >>> found = filter_errors(x, slow + fast, slow, [0.03], period=1)
    >>> found.low.round(2), found.high.round(2)
    (array([0.]), array([1.]))
    """
    x, t, s = checked_points(points, targets, sigmas, period)
    f = np.asarray(outputs, dtype=np.float64)
    if f.shape[f.ndim - t.ndim :] != t.shape or not np.all(np.isfinite(f)):
        raise UserError(
            "outputs",
            expected=f"finite numbers whose last axes are those of the targets, {t.shape}",
            got=f"shape {f.shape}",
            hint="put steps or models on the first axes; of a model with one output take [..., 0]",
        )
    n, leading = len(x), f.shape[: f.ndim - t.ndim]
    target = t.reshape(n, -1)
    classes = target.shape[1]
    # The filter is linear: the errors' parts are the parts of the errors. [n, outputs x classes].
    wrong = np.moveaxis((t - f).reshape(-1, n, classes), 0, 1).reshape(n, -1)
    columns = np.concatenate([target, wrong], axis=1)
    low, high = np.zeros((2, s.size, columns.shape[1]))
    effective = np.empty((s.size, n))
    for rows, b, kernel in _kernels(x, s, period, block_bytes):
        total = kernel.sum(axis=1)
        part = kernel @ columns / total[:, np.newaxis]
        low[b] += (part**2).sum(axis=0)
        high[b] += ((columns[rows] - part) ** 2).sum(axis=0)
        effective[b, rows] = total**2 / np.einsum("ij,ij->i", kernel, kernel)
    whole = float((target**2).sum())

    def relative(energy: NDArray) -> NDArray[np.float64]:
        of_target = energy[:, :classes].sum(axis=1)
        there = of_target > _ROUNDING**2 * whole
        safe = np.where(there, of_target, 1.0).reshape(-1, *(1,) * len(leading))
        of_errors = energy[:, classes:].reshape(s.size, *leading, classes).sum(axis=-1)
        missing = ~there.reshape(safe.shape)
        return np.where(missing, np.nan, np.sqrt(of_errors / safe))

    share = low[:, :classes].sum(axis=1) / whole if whole else np.full(s.size, np.nan)
    return FilterErrors(s, relative(low), relative(high), share, np.median(effective, axis=1))


def filter_bandwidths(
    points: ArrayLike, num_bandwidths: int = 10, *, num_probes: int = 300
) -> NDArray[np.float64]:
    """Bandwidths worth a look: from two effective points in a mean to half of all.

    Below, a filter sees no neighbours, and everything is low; above, only the mean is left. In many
    dimensions distances are nearly alike, and this range is far below them and narrow.

    Args:
      points: shape [n, d] or [n], n at least 3; copies of a point count as one.
      num_bandwidths: b.
      num_probes: points (evenly along the array) whose means are looked at.

    Returns:
      float64, shape [b], geometric, to about 1 %, in units of the points. Cost: num_probes n (d +
      some 200) products; memory: about 4 blocks of 64 MiB at most.

    Raises:
      UserError: fewer than 3 points, or all at one place.

    >>> filter_bandwidths(np.arange(101.0), 3).round(1)
    array([ 0.6,  3.1, 15.7])
    """
    x, _, _ = checked_points(points, np.zeros(len(np.asarray(points))), [1.0], None)
    n = len(x)
    count = max(1, min(num_probes, n, BLOCK_BYTES // (8 * n)))
    squares = squared_distances(x, x[np.linspace(0, n - 1, count).astype(int)], None)
    # Those of a point to itself and to its copies are rounding.
    squares[squares <= 1e-12 * squares.max()] = 0.0
    apart = squares[squares > 0]
    if n < 3 or not apart.size:
        raise UserError(
            "points",
            expected="at least 3 that are not at one place",
            got=f"{n}",
            hint="check the data",
        )

    def effective(sigma: float) -> float:
        kernel = np.exp(squares / (-2 * sigma**2))
        return float(np.median(kernel.sum(axis=1) ** 2 / (kernel**2).sum(axis=1)))

    # Here all others together weigh a thousandth of a point itself, and here about as much each.
    least = float(np.sqrt(apart.min() / (2 * np.log(n) + 14)))
    most = 10 * float(np.sqrt(apart.max()))
    alone = effective(least)

    def bandwidth(points_in_mean: float) -> float:
        low, high = least, most
        while high > 1.01 * low:
            middle = np.sqrt(low * high)
            low, high = (middle, high) if effective(middle) < points_in_mean else (low, middle)
        return float(np.sqrt(low * high))

    return np.geomspace(bandwidth(2 * alone), bandwidth(max(2 * alone, n / 2)), num_bandwidths)


def checked_points(
    points: ArrayLike, values: ArrayLike, sigmas: ArrayLike, period: float | None
) -> tuple[NDArray, NDArray, NDArray]:
    """Points [n, d] about their mean, values and bandwidths, in float64.

    Raises:
      UserError: shapes do not match, numbers that are not finite or not real, a sigma or a period
        that is not above 0.
    """
    x, y = np.asarray(points, dtype=np.float64), np.asarray(values)
    s = np.atleast_1d(np.asarray(sigmas, dtype=np.float64))
    x = x[:, np.newaxis] if x.ndim == 1 else x
    if x.ndim != 2 or x.size == 0 or y.ndim not in (1, 2) or len(y) != len(x):
        raise UserError(
            "values",
            expected="points [n, d] and values [n] or [n, c], n and d at least 1",
            got=f"shapes {x.shape} and {y.shape}",
            hint="flatten images to [n, d]",
        )
    if np.iscomplexobj(y) or not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        raise UserError(
            "values",
            expected="finite real points and values",
            got="others",
            hint="leave out what is not known",
        )
    if s.ndim != 1 or not np.all((s > 0) & (s < np.inf)) or not (period is None or period > 0):
        raise UserError(
            "sigmas and period",
            expected="above 0",
            got=f"{s.tolist()} and {period}",
            hint="in the unit of the points",
        )
    # Near the origin squares of distances are not differences of large numbers.
    return x - x.mean(axis=0), y.astype(np.float64), s


def squared_distances(x: NDArray, some: NDArray, period: float | None) -> NDArray[np.float64]:
    """|u|^2 between some points and all, [m, n]."""
    if period is None:
        squares = (some**2).sum(axis=1)[:, np.newaxis] + (x**2).sum(axis=1) - 2 * (some @ x.T)
        return np.maximum(squares, 0.0, out=squares)
    squares = np.zeros((len(some), len(x)))
    for axis in range(x.shape[1]):
        u = some[:, axis, np.newaxis] - x[:, axis]
        u -= period * np.round(u / period)
        squares += u**2
    return squares


def _kernels(
    x: NDArray, sigmas: NDArray, period: float | None, block_bytes: int
) -> Iterator[tuple[slice, int, NDArray]]:
    """Rows, number of the bandwidth, and G between the points of the rows and all."""
    block = max(1, block_bytes // (8 * len(x)))
    for start in range(0, len(x), block):
        rows = slice(start, min(start + block, len(x)))
        squares = squared_distances(x, x[rows], period)
        # Of the point itself, 0 but for rounding, which a narrow filter would magnify.
        squares -= squares.min(axis=1, keepdims=True)
        for b, sigma in enumerate(sigmas):
            kernel = squares / (-2 * sigma**2)
            yield rows, b, np.exp(kernel, out=kernel)
