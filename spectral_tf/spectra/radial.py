"""The spectrum of a picture by radius alone."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


def radial_spectrum(
    samples: ArrayLike, extent: float = 1.0, *, window: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The energy of a function on a square by radial frequency, all angles together.

    With F[q] the two-dimensional coefficients (1/n^2) sum f exp(-2 pi i q . j / n), the energy of
    ring r is the sum of |F[q]|^2 over all q with r - 1/2 <= |q| < r + 1/2.

    Args:
      samples: real, shape [..., n, n], on a uniform grid over the square.
      extent: length of its sides.
      window: take the mean off and multiply by a Hann window along both axes (scaled to mean square
        1), so that the square's edges, which are no part of the function, do not dominate.

    Returns:
      (frequencies [r] in cycles per length, energies [..., r]) for r = 0 ... n//2 rings; without
      window and with the corners beyond n/2 the energies would sum to the mean square.

    Raises:
      UserError: not a square of at least 4 x 4, or an extent of 0 or below.

    Source: Rahaman et al. (2019), appendix E.2 (their zeta; the window is ours).
    """
    f = np.asarray(samples, np.float64)
    if f.ndim < 2 or f.shape[-1] != f.shape[-2] or f.shape[-1] < 4 or not extent > 0:
        raise UserError(
            "samples",
            expected="shape [..., n, n] with n at least 4, and a positive extent",
            got=f"shape {f.shape}, extent {extent}",
            hint="sample a square",
        )
    n = f.shape[-1]
    if window:
        taper = (1 - np.cos(2 * np.pi * (np.arange(n) + 0.5) / n)) * np.sqrt(2 / 3)
        f = (f - f.mean(axis=(-2, -1), keepdims=True)) * np.outer(taper, taper)
    energy = np.abs(np.fft.fft2(f, norm="forward")) ** 2
    q = np.fft.fftfreq(n, 1 / n)
    ring = np.floor(np.hypot(q[:, None], q) + 0.5).astype(int).ravel()
    rings = n // 2 + 1
    member = (ring == np.arange(rings)[:, None]).astype(np.float64)
    return np.arange(rings) / extent, energy.reshape(*f.shape[:-2], -1) @ member.T
