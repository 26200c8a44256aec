"""The spectrum of a function along a curve that is sampled anywhere, open or closed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

_BLOCK_BYTES = 64 * 2**20
# Of a wave over samples that are not evenly spaced: with fewer the trapezoidal rule, whose errors
# do not cancel there, makes a percent of a constant into a wave.
_GAPS = 4
# Of the spacing: what gaps may differ by, as positions of 32 bits or rounded ones do.
_OFF = 1e-3


class CurveSpectrum(NamedTuple):
    """Where the power of functions along a curve lies.

    Attributes:
      frequencies: cycles per unit of the positions, [k]: k / L of a closed curve of length L, k /
        (2 L) of an open one; of uniform positions up to 1 / (2 gap), of others to 1 / (4 gap), the
        widest one between neighbours.
      power: of both signs, [..., k]; a wave of amplitude A has A^2 / 2. Of uniform positions all
        together are the mean of f^2 along the curve (an open one: there and back, ends half).
      uniform: whether the positions are, but for a thousandth of their spacing.
    """

    frequencies: NDArray[np.float64]
    power: NDArray[np.float64]
    uniform: bool


def curve_spectrum(samples: ArrayLike, positions: ArrayLike, length: float = 0.0) -> CurveSpectrum:
    """The power of functions along a curve.

    F[k] = sum_j w_j f_j exp(-2 pi i k t_j / T), w_j half the distance between the neighbours of j
    over T (the trapezoidal rule). A closed curve has period T = length. An open one is taken there
    and back, T = 2 length, both ends once: no jump between its ends, and a cosine transform. On
    uniform positions this is the DFT, and the DCT of type I, and exact; else the rule errs by the
    square of the gaps over the wave's length.

    Args:
      samples: real, shape [..., n], n at least 4.
      positions: t_j, rising, shape [n], in the unit that frequencies are counted by.
      length: of a closed curve: from the first sample around to it again, above the distance from
        the first to the last; 0: the curve is open, from its first sample to its last.

    Raises:
      UserError: fewer than 4 samples, positions that do not rise, a length they do not fit in.

    >>> t = np.linspace(0, 1, 33)  # Open: one and a half cycles are whole half-waves.
    >>> found = curve_spectrum(np.cos(np.pi * 3 * t), t)
    >>> found.frequencies[3], found.power.round(9).tolist()[:5]
    (np.float64(1.5), [0.0, 0.0, 0.0, 0.5, 0.0])
    """
    f, t = np.asarray(samples, np.float64), np.asarray(positions, np.float64)
    if t.ndim != 1 or t.size < 4 or f.shape[-1:] != t.shape or not np.all(np.diff(t) > 0):
        raise UserError(
            "positions",
            expected="at least 4 that rise, one for each sample",
            got=f"shape {t.shape} for samples {f.shape}, smallest step "
            f"{np.diff(t).min(initial=np.inf):g}",
            hint="sort them, and leave out repeated ones",
        )
    t = t - t[0]
    if length and not length > t[-1]:
        raise UserError(
            "length",
            expected=f"above the distance from the first to the last sample, {t[-1]:g}",
            got=f"{length:g}",
            hint="leave out a last sample that repeats the first",
        )
    period = length or 2 * t[-1]
    if not length:
        f = np.concatenate([f, f[..., -2:0:-1]], axis=-1)
        t = np.concatenate([t, period - t[-2:0:-1]])
    gaps = np.diff(np.append(t, period))
    uniform = bool(np.ptp(gaps) <= _OFF * gaps.mean())
    n = t.size
    if uniform:
        coefficients = np.fft.rfft(f, axis=-1, norm="forward")
    else:
        weights = (gaps + np.roll(gaps, 1)) / (2 * period)
        highest = int(period / (_GAPS * gaps.max()) + 1e-9)
        coefficients = _direct(f * weights, t / period, highest)
    power = np.abs(coefficients) ** 2
    power[..., 1:] *= 2
    if uniform and n % 2 == 0:
        power[..., -1] /= 2  # Its mirror image is itself.
    return CurveSpectrum(np.arange(power.shape[-1]) / period, power, uniform)


def _direct(weighted: NDArray, turns: NDArray, highest: int) -> NDArray[np.complex128]:
    """sum_j f_j exp(-2 pi i k t_j) for k = 0 ... highest, in blocks of frequencies."""
    rows = weighted.reshape(-1, turns.size)
    found = np.empty((len(rows), highest + 1), np.complex128)
    block = max(1, _BLOCK_BYTES // (16 * turns.size))
    for start in range(0, highest + 1, block):
        k = np.arange(start, min(start + block, highest + 1))
        found[:, k] = rows @ np.exp(-2j * np.pi * np.outer(turns, k))
    return found.reshape(*weighted.shape[:-1], highest + 1)
