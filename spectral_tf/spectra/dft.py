"""The discrete Fourier transform of uniform samples on [0, 1)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


def coefficients(samples: ArrayLike) -> NDArray[np.complex128]:
    """All n Fourier coefficients F[k] = (1/n) sum_j f_j exp(-2 pi i j k / n).

    Args:
      samples: real or complex, shape [..., n], taken at 0, 1/n, ..., (n-1)/n.

    Returns:
      complex128, shape [..., n], in the samples' unit; bin k holds the frequency k cycles per
      unit, bin n-k its negative. Sees phase.

    Raises:
      UserError: the last axis is empty or absent.

    Source: Rahaman et al. (2019), section 3, with the 1/n of their published notebooks.
    """
    values = np.asarray(samples)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise UserError(
            "samples",
            expected="at least one sample on the last axis",
            got=f"shape {values.shape}",
            hint="pass the function's values on a uniform grid",
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
      UserError: the last axis is empty or absent, or the samples are complex (whose spectrum has
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
