"""Fourier coefficients at any frequencies of samples at any positions, by three estimators.

The *plain average* (1/n) sum_j f_j exp(-2 pi i k x_j) weighs all samples alike: right on a uniform
grid, wrong where positions cluster (a constant then has coefficients at k > 0). *Quadrature* gives
each sample the length of the line nearest to it. *Least squares* fits all asked frequencies
together, so that none is taken for another; it needs no period and no quadrature.
"""

import importlib.util
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

# The direct sum holds one block of the position-by-frequency matrix at a time.
_BLOCK_BYTES = 64 * 2**20

# Above it a fit of 32-bit outputs is rounding, and what is not fitted comes in magnified as much.
LARGEST_CONDITION = 1e4


def coefficients_at(
    samples: ArrayLike,
    positions: ArrayLike,
    frequencies: ArrayLike,
    method: Literal["auto", "direct", "finufft"] = "auto",
    *,
    weights: Literal["average", "quadrature"] | ArrayLike = "average",
) -> NDArray[np.complex128]:
    """F(k) = sum_j w_j f_j exp(-2 pi i k x_j) for any real k and any real x_j, sum_j w_j = 1.

    The estimator is the plain average, w_j = 1/n, unless `weights` says otherwise: on the uniform
    grid x_j = j/n and at whole k it is `coefficients`; where positions cluster it is wrong.

    Args:
      samples: real or complex, shape [..., n].
      positions: real, shape [n], in units.
      frequencies: real, shape [m], in cycles per unit; negative ones are allowed.
      method: "direct" sums in blocks of 64 MiB, n m products per row of samples; "finufft" takes
        the fast transform of the optional extra `finufft` (relative accuracy 1e-12); "auto" takes
        finufft where it is installed and the sum is long (n m > 1e6), else the direct sum.
      weights: "average"; "quadrature", for functions of period 1 at positions in [0, 1]:
        `quadrature_weights(positions)`; or w, shape [n], such as those of `quadrature_weights` for
        another period or an interval. For `fit_coefficients`, least squares, see there.

    Returns:
      complex128, shape [..., m], in the samples' unit. Sees phase.

    Raises:
      UserError: shapes do not match, an unknown method, or "finufft" without that package; weights
        that do not sum to 1, or "quadrature" of positions outside [0, 1].

    Source: the type-3 non-uniform transform of Barnett, Magland and af Klinteberg (2019),
    scaled by 1/n.

    >>> clustered = np.linspace(0, 1, 200, endpoint=False) ** 3
    >>> abs(coefficients_at(np.ones(200), clustered, [2])).round(2)
    array([0.37])
    >>> abs(coefficients_at(np.ones(200), clustered, [2], weights="quadrature")).round(2)
    array([0.])
    """
    f = np.asarray(samples)
    x = np.asarray(positions, dtype=np.float64)
    k = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    _refuse_misfits(f, x, k)
    if method not in ("auto", "direct", "finufft"):
        raise UserError(
            "method", expected="auto, direct or finufft", got=repr(method), hint="choose one"
        )
    installed = importlib.util.find_spec("finufft") is not None
    if method == "finufft" and not installed:
        raise UserError(
            "method",
            expected="an installed finufft",
            got="none",
            hint="pip install 'spectral-tf[finufft]' or use method='direct'",
        )
    average = isinstance(weights, str) and weights == "average"
    rows = f.reshape(-1, x.size).astype(np.complex128)
    if not average:
        rows = rows * _weights(weights, x)
    if method == "finufft" or (method == "auto" and installed and x.size * k.size > 10**6):
        result = _fast(rows, x, k)
    else:
        result = _direct(rows, x, k)
    return (result / x.size if average else result).reshape((*f.shape[:-1], k.size))


def quadrature_weights(
    positions: ArrayLike,
    period: float = 1.0,
    *,
    interval: tuple[float, float] | None = None,
) -> NDArray[np.float64]:
    """The share of the line that is nearer to each position than to any other.

    On a circle of the given period, w_i = (x_(i+1) - x_(i-1)) / (2 P) for the sorted positions,
    neighbours over the joint: the trapezoidal rule of periodic functions. A right end x_0 + P
    shares the place of the first position, and each of the two counts half. With an interval [a, b]
    nothing is periodic: the cells of the outermost positions end at a and b, the trapezoidal rule
    where positions stand there. The error of a wave of frequency k is of the order (k gap)^2.

    Args:
      positions: shape [n], in units, in any order; places may be shared.
      period: P, in units; positions are taken modulo P.
      interval: (a, b), instead of a period, in units.

    Returns:
      float64, shape [n], in the order of the positions, at least 0, sum 1.

    Raises:
      UserError: no positions, one that is not finite or outside the interval, a period or interval
        that is not above 0.

    Source: the trapezoidal rule; one-dimensional Voronoi weights.

    >>> quadrature_weights([0.0, 0.25, 0.5, 0.75, 1.0])
    array([0.125, 0.25 , 0.25 , 0.25 , 0.125])
    >>> quadrature_weights([0.0, 1.0, 4.0], interval=(0, 4))
    array([0.125, 0.5  , 0.375])
    """
    x = np.asarray(positions, dtype=np.float64)
    if x.ndim != 1 or x.size == 0 or not np.all(np.isfinite(x)):
        raise UserError(
            "positions",
            expected="finite numbers, shape [n] with n of at least 1",
            got=f"shape {x.shape}",
            hint="give one position for every sample",
        )
    low, high = (0.0, period) if interval is None else interval
    length = high - low
    if not 0 < length < np.inf:
        raise UserError(
            "period" if interval is None else "interval",
            expected="a finite length above 0",
            got=length,
            hint="in the unit of the positions",
        )
    if interval is not None and (x.min() < low or x.max() > high):
        raise UserError(
            "positions",
            expected=f"numbers within {low:g} to {high:g}",
            got=f"{x.min():g} to {x.max():g}",
            hint="widen the interval",
        )
    if interval is None:
        x = np.mod(x, period)
    order = np.argsort(x, kind="stable")
    along = x[order]
    middles = (along[1:] + along[:-1]) / 2
    if interval is None:
        joint = (along[-1] + along[0] + period) / 2
        edges = np.concatenate([[joint - period], middles, [joint]])
    else:
        edges = np.concatenate([[low], middles, [high]])
    weights = np.empty(x.size)
    weights[order] = np.diff(edges) / length
    return weights


class FittedCoefficients(NamedTuple):
    """Coefficients by least squares.

    Attributes:
      coefficients: F(k), complex128, shape [..., m], in the samples' unit.
      condition: of the fit: largest over smallest singular value, at least 1.
      unexplained: share of the samples' variance about their mean that no fitted wave holds, shape
        [...], 0 to 1; NaN of a constant.
    """

    coefficients: NDArray[np.complex128]
    condition: float
    unexplained: NDArray[np.float64]


def fit_coefficients(
    samples: ArrayLike,
    positions: ArrayLike,
    frequencies: ArrayLike,
    *,
    largest_condition: float = LARGEST_CONDITION,
) -> FittedCoefficients:
    """Least squares: the F(k) of f(x) = c + sum_k 2 Re(F(k) exp(2 pi i k x)) nearest to the
    samples.

    All frequencies and a constant c are fitted together, so that on any positions, uniform or not,
    no asked frequency leaks into another. What the samples hold at other frequencies still leaks,
    the more the larger the condition number is: it is returned, and refused above a limit.

    Args:
      samples: real, shape [..., n].
      positions: real, shape [n], in units.
      frequencies: shape [m], 0 or more, each once, in cycles per unit; F(0) is c.
      largest_condition: that is accepted.

    Returns:
      the coefficients; a sine of amplitude A has |F| = A/2, as in `coefficients`. Cost: n p^2
      products for p = 2m + 1 unknowns, memory 16 n p bytes.

    Raises:
      UserError: shapes do not match, complex samples, a frequency that is negative or comes twice,
        more unknowns than samples, a condition number above the limit (frequencies nearer to each
        other than one over the length of the samples, or above what their spacing can tell apart).

    Source: Lomb (1976) and Scargle (1982) with a floating mean, for several frequencies at once.

    >>> x = np.array([0.0, 0.1, 0.15, 0.4, 0.55, 0.7, 0.9])
    >>> fit_coefficients(np.sin(2 * np.pi * 1.5 * x) + 3, x, [1.5]).coefficients.round(9)
    array([-0.-0.5j])
    """
    f, x = np.asarray(samples), np.asarray(positions, dtype=np.float64)
    k = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    _refuse_misfits(f, x, k)
    if np.iscomplexobj(f) or np.any(k < 0) or np.unique(k).size != k.size:
        raise UserError(
            "frequencies",
            expected="real samples, and frequencies of 0 or more, each once",
            got=f"dtype {f.dtype}, {k.tolist()}",
            hint="of real samples F(-k) is the conjugate of F(k)",
        )
    waves = k[k > 0]
    if 2 * waves.size + 1 > x.size:
        raise UserError(
            "frequencies",
            expected=f"at most {(x.size - 1) // 2}, as {x.size} samples can tell apart",
            got=k.size,
            hint="leave some out",
        )
    angles = 2 * np.pi * np.outer(x, waves)
    design = np.concatenate([np.ones((x.size, 1)), np.cos(angles), np.sin(angles)], axis=1)
    left, values, right = np.linalg.svd(design, full_matrices=False)
    condition = float(values[0] / values[-1]) if values[-1] > 0 else np.inf
    if not condition <= largest_condition:
        raise UserError(
            "frequencies",
            expected=f"ones that the positions tell apart (condition of their fit at most "
            f"{largest_condition:g})",
            got=f"{condition:.3g}",
            hint="take frequencies further apart, and below half of the samples per unit",
        )
    rows = f.reshape(-1, x.size).astype(np.float64)
    inside = rows @ left
    fitted = inside / values @ right
    found = np.empty((len(rows), k.size), np.complex128)
    half = fitted[:, 1 : waves.size + 1] - 1j * fitted[:, waves.size + 1 :]
    found[:, k > 0] = half / 2
    found[:, k == 0] = fitted[:, :1]
    centred = rows - rows.mean(axis=1, keepdims=True)
    rest = rows - inside @ left.T
    total = (centred**2).sum(axis=1)
    varies = total > x.size * (1e-15 * np.abs(rows).max(axis=1)) ** 2
    unexplained = np.where(varies, (rest**2).sum(axis=1) / np.where(varies, total, 1.0), np.nan)
    shape = f.shape[:-1]
    return FittedCoefficients(
        found.reshape((*shape, k.size)), condition, np.minimum(unexplained, 1.0).reshape(shape)
    )


def mixing(
    estimate: Callable[[NDArray[np.float64]], ArrayLike],
    positions: ArrayLike,
    frequencies: ArrayLike,
) -> NDArray[np.float64]:
    """What an estimator of coefficients measures at each frequency of a wave of each other one.

    M_ij is the largest 2|F(k_i)|, over all phases, of a wave of frequency k_j and amplitude 1 at
    the positions: the identity where nothing leaks.

    Args:
      estimate: real samples [..., n] -> their coefficients [..., m], linear in the samples, such as
        `coefficients_at` with positions and frequencies filled in.
      positions: shape [n], in units.
      frequencies: above 0, shape [m], in cycles per unit.

    Returns:
      float64, shape [m, m], at least 0: measured at (rows) and present (columns).

    >>> grid = np.arange(16) / 16
    >>> mixing(lambda f: coefficients_at(f, grid, [2, 3.5]), grid, [2, 3.5]).round(2)
    array([[1.  , 0.29],
           [0.29, 1.  ]])
    """
    k, x = (np.asarray(v, dtype=np.float64) for v in (frequencies, positions))
    angles = 2 * np.pi * np.outer(k, x)
    cosine, sine = (np.asarray(estimate(wave(angles))) for wave in (np.cos, np.sin))
    # A wave of phase p is Re(exp(ip) (cos + i sin)); its two sides can add up to this much.
    return (np.abs(cosine + 1j * sine) + np.abs(cosine - 1j * sine)).T


def _refuse_misfits(f: NDArray, x: NDArray, k: NDArray) -> None:
    if x.ndim != 1 or x.size == 0 or f.shape[-1:] != x.shape or k.ndim != 1:
        raise UserError(
            "samples",
            expected="samples [..., n], positions [n] and frequencies [m] with n of at least 1",
            got=f"shapes {f.shape}, {x.shape} and {k.shape}",
            hint="give one position for every sample",
        )


def _weights(weights: str | ArrayLike, x: NDArray) -> NDArray[np.float64]:
    """Those of `coefficients_at` other than the average's."""
    if isinstance(weights, str):
        if weights != "quadrature":
            raise UserError(
                "weights",
                expected="average, quadrature or an array",
                got=repr(weights),
                hint="for least squares take fit_coefficients()",
            )
        if not (x.min() >= 0 and x.max() <= 1):
            raise UserError(
                "weights",
                expected="positions in [0, 1], whose period is 1, for quadrature",
                got=f"positions from {x.min():g} to {x.max():g}",
                hint="weights=quadrature_weights(positions, period) or (..., interval=(a, b))",
            )
        return quadrature_weights(x)
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != x.shape or not abs(w.sum() - 1) < 1e-6:
        raise UserError(
            "weights",
            expected=f"{x.size} numbers, one for each position, of sum 1",
            got=f"shape {w.shape}, sum {w.sum():g}",
            hint="divide them by their sum",
        )
    return w


def _direct(rows: NDArray, x: NDArray, k: NDArray) -> NDArray[np.complex128]:
    result = np.empty((rows.shape[0], k.size), np.complex128)
    block = max(1, _BLOCK_BYTES // (16 * x.size))
    for start in range(0, k.size, block):
        part = k[start : start + block]
        result[:, start : start + block] = rows @ np.exp(-2j * np.pi * np.outer(x, part))
    return result


def _fast(rows: NDArray, x: NDArray, k: NDArray) -> NDArray[np.complex128]:
    import finufft

    result = finufft.nufft1d3(2 * np.pi * x, rows, k, isign=-1, eps=1e-13)
    return np.asarray(result).reshape(rows.shape[0], k.size)
