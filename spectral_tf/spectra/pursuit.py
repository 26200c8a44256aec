"""The frequencies of samples of unknown period, found one after the other."""

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.nonuniform import coefficients_at, fit_coefficients, quadrature_weights
from spectral_tf.spectra.positions import sampling

# Points of the search for a peak to one over the length of the samples.
_FINENESS = 8
_REFINEMENTS = 4


def strongest_frequencies(
    samples: ArrayLike,
    positions: ArrayLike,
    count: int,
    *,
    highest: float,
    weakest: float = 0.01,
) -> NDArray[np.float64]:
    """The frequencies of the strongest waves in samples, whole cycles or not.

    Where the period of a function is not the length of its samples, a wave shows at many bins of a
    DFT. So the peak of the spectrum is taken, its wave fitted by least squares together with those
    found before, all frequencies refined (Gauss-Newton steps on the squared error), and the rest
    searched on. Found ones are at least one over the length of the samples apart.

    Args:
      samples: real, shape [n].
      positions: increasing, shape [n], in units.
      count: of frequencies, at most.
      highest: that is searched for, in cycles per unit, e.g. that of `sampling`; the lowest is one
        over the length of the samples.
      weakest: amplitude over that of the strongest, at which the search ends.

    Returns:
      float64, in cycles per unit, increasing; at most `count`, of noise-free sums of waves the
      waves' own to rounding. Cost: for each a few fits of n (3 count + 1)^2 products, and a long
      FFT on a uniform grid, else 8 n (highest length) products.

    Raises:
      UserError: nothing between the lowest and the highest frequency, samples that do not vary, or
        as `sampling`.

    Source: orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad 1993); in astronomy the
    CLEAN of spectra (Roberts, Lehar and Dreher 1987).

    >>> x = np.arange(100) / 50
    >>> wave = np.sin(2 * np.pi * 3.3 * x) + 0.2 * np.cos(2 * np.pi * 7.9 * x)
    >>> strongest_frequencies(wave, x, 5, highest=25).round(6)
    array([3.3, 7.9])
    """
    y, x = np.asarray(samples, np.float64), np.asarray(positions, np.float64)
    uniform = sampling(x).kind != "irregular"
    x = x - x[0]
    length = float(x[-1])
    step = 1 / (_FINENESS * length)
    grid = np.arange(_FINENESS, max(int(np.ceil(highest / step)), _FINENESS)) * step
    if not grid.size or not y.std() > 1e-12 * np.abs(y).max():
        raise UserError(
            "frequencies",
            expected=f"samples that vary, and some cycles below {highest:g} per unit",
            got=f"a length of {length:g} units",
            hint="give more samples",
        )
    weights = quadrature_weights(x, interval=(0.0, length))
    found = np.empty(0)
    for _ in range(min(count, (y.size - 1) // 3)):
        rest = y - (_fitted(y, x, found) if found.size else weights @ y)
        if uniform:
            padded = np.abs(np.fft.rfft(weights * rest, _FINENESS * (y.size - 1)))
            size = padded[_FINENESS : _FINENESS + grid.size]
        else:
            size = np.abs(coefficients_at(rest, x, grid, weights=weights))
        # A frequency next to one that is there is that one, not yet refined.
        near = np.abs(grid[:, np.newaxis] - found) < 0.999 / length
        size[near.any(axis=1)] = 0
        if not size.max() > 0:
            break
        more = _refined(y, x, np.append(found, grid[size.argmax()]), highest)
        amplitudes = np.abs(fit_coefficients(y, x, more, largest_condition=np.inf).coefficients)
        if amplitudes[-1] < weakest * amplitudes.max():
            break
        found = more
    return np.sort(found)


def _fitted(y: NDArray, x: NDArray, k: NDArray) -> NDArray[np.float64]:
    design = _design(x, k)
    return design @ _solved(design, y)


def _solved(design: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Least squares, several times faster than by singular values."""
    return scipy.linalg.lstsq(design, y, lapack_driver="gelsy")[0]


def _design(x: NDArray, k: NDArray) -> NDArray[np.float64]:
    angles = 2 * np.pi * np.outer(x, k)
    return np.concatenate([np.ones((x.size, 1)), np.cos(angles), np.sin(angles)], axis=1)


def _refined(y: NDArray, x: NDArray, k: NDArray, highest: float) -> NDArray[np.float64]:
    """Frequencies after steps that lower the squared error; they keep their distances."""
    length, m = float(x.max()), k.size
    error = ((y - _fitted(y, x, k)) ** 2).sum()
    for _ in range(_REFINEMENTS):
        design = _design(x, k)
        a, b = np.split(_solved(design, y)[1:], 2)
        slopes = 2 * np.pi * x[:, np.newaxis] * (design[:, m + 1 :] * -a + design[:, 1 : m + 1] * b)
        solution = _solved(np.concatenate([design, slopes], axis=1), y)
        new = k + np.clip(solution[2 * m + 1 :], -0.5 / length, 0.5 / length)
        apart = m == 1 or np.diff(np.sort(new)).min() >= 0.999 / length
        if not apart or new.min() < 0.5 / length or new.max() >= highest:
            break
        smaller = ((y - _fitted(y, x, new)) ** 2).sum()
        if smaller >= error:
            break
        enough = smaller > 0.999 * error
        k, error = new, smaller
        if enough:
            break
    return k
