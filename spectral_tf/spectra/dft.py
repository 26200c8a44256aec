"""The discrete Fourier transform of uniform samples on [0, 1)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

# Networks compute in float32: less than its spacing, relative to the largest value, is rounding.
_ROUNDING = 2.0**-22


def coefficients(samples: ArrayLike) -> NDArray[np.complex128]:
    """All n Fourier coefficients F[k] = (1/n) sum_j f_j exp(-2 pi i j k / n).

    Args:
      samples: real or complex, shape [..., n], taken at 0, 1/n, ..., (n-1)/n.

    Returns:
      complex128, shape [..., n], in the samples' unit; bin k holds the frequency k cycles per
      unit, bin n-k its negative. Sees phase.

    Raises:
      UserError: the last axis is absent or has fewer than 2 samples, as outputs [n, 1] of a model.

    Source: Rahaman et al. (2019), section 3, with the 1/n of their published notebooks.
    """
    values = np.asarray(samples)
    if values.ndim == 0 or values.shape[-1] < 2:
        raise UserError(
            "samples",
            expected="at least 2 samples on the last axis",
            got=f"shape {values.shape}",
            hint="pass values on a uniform grid; of a model with one output take [..., 0]",
        )
    return np.fft.fft(values.astype(np.complex128), axis=-1, norm="forward")


def magnitudes(samples: ArrayLike) -> NDArray[np.float64]:
    """The one-sided magnitudes |F[k]|, k = 0 ... n//2, of real samples.

    Args:
      samples: real, shape [..., n].

    Returns:
      float64, shape [..., n//2 + 1], in the samples' unit, at least 0; blind to phase. No factor 2
      is applied: a sine of amplitude A gives A/2.

    Raises:
      UserError: as `coefficients`, or the samples are complex (whose spectrum has
        two independent sides: use `coefficients`).
    """
    values = np.asarray(samples)
    if np.iscomplexobj(values):
        raise UserError(
            "samples",
            expected="real samples",
            got=f"dtype {values.dtype}",
            hint="use coefficients() for complex ones",
        )
    n = values.shape[-1] if values.ndim else 0
    return np.abs(coefficients(values)[..., : n // 2 + 1])


def mean_frequency(samples: ArrayLike) -> NDArray[np.float64]:
    """sum_k k |F[k]|^2 / sum_k |F[k]|^2 over k = 1 ... n//2: where the power of a function lies.

    Args:
      samples: real, shape [..., n], of a periodic function on the uniform grid of its period.

    Returns:
      float64, shape [...], in cycles per period, 1 to n//2; blind to phase, constant and scale. NaN
      of a function that does not vary. A frequency above n/2 counts as the one it is folded to.

    Raises:
      UserError: as `magnitudes`.

    >>> turns = np.arange(16) / 16
    >>> float(mean_frequency(np.cos(2 * np.pi * 3 * turns) + 5).round(9))
    3.0
    """
    power = magnitudes(samples)[..., 1:] ** 2
    total = power.sum(axis=-1)
    k = np.arange(1, power.shape[-1] + 1)
    # What is left of a constant is rounding.
    varies = total > (_ROUNDING * np.abs(samples).max(axis=-1)) ** 2
    return np.where(varies, power @ k / np.where(varies, total, 1.0), np.nan)


def normalised_magnitudes(
    samples: ArrayLike, frequencies: ArrayLike, amplitudes: ArrayLike
) -> NDArray[np.float64]:
    """2 |F[k]| / A at the target's frequencies: how much of each sine the samples hold.

    Args:
      samples: real, shape [..., n], on the uniform grid of [0, 1).
      frequencies: whole cycles per unit, shape [m], each with 0 < k < n/2.
      amplitudes: the target's amplitudes A > 0, shape [m], in the samples' unit.

    Returns:
      float64, shape [..., m]; 0 for a function without that frequency, 1 for the target itself;
      may exceed 1 (overshoot is not clipped). Blind to phase.

    Raises:
      UserError: a frequency is not a whole number in (0, n/2), or the lengths differ, or an
        amplitude is not positive.

    Source: Rahaman et al. (2019), Fig 1: |F[k]| over the target's A/2.
    """
    k = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    a = np.atleast_1d(np.asarray(amplitudes, dtype=np.float64))
    spectrum = magnitudes(samples)
    n = np.shape(samples)[-1]
    if k.ndim != 1 or a.shape != k.shape:
        raise UserError(
            "amplitudes",
            expected=f"one for each of the {k.size} frequencies",
            got=f"{a.size}",
            hint="give both lists the same length",
        )
    if np.any(k != np.round(k)) or np.any(k <= 0) or np.any(2 * k >= n):
        raise UserError(
            "frequencies",
            expected=f"whole numbers of cycles between 0 and {n / 2:g} (half of {n} samples)",
            got=k.tolist(),
            hint="use coefficients_at() for frequencies off the grid",
        )
    if not np.all(a > 0):
        raise UserError(
            "amplitudes",
            expected="positive numbers",
            got=a.tolist(),
            hint="leave absent frequencies out",
        )
    return 2.0 * spectrum[..., k.astype(int)] / a
