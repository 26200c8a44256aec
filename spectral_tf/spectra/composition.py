"""How a curve carries frequencies of the plane into frequencies along the curve."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.dft import coefficients


def occupied_bandwidth(
    path: ArrayLike, wave_vectors: ArrayLike, energy: float = 0.99
) -> NDArray[np.int64]:
    """The band along a closed curve that holds most of a plane wave's energy.

    For the curve gamma(z), z in [0, 1), and a wave vector k, P(l) = (1/n) sum_j
    exp(i k . gamma(z_j) - 2 pi i l j/n): the smallest b with sum over |l| <= b of |P(l)|^2 >=
    energy * sum over all l.
    A composed network has little beyond b = |k| max|gamma'| / (2 pi) for large |k|.

    Args:
      path: gamma on the uniform grid, shape [n, d]; n must be well above 2 b.
      wave_vectors: angular, in radians per length, shape [..., d].
      energy: share of the energy, in (0, 1).

    Returns:
      int64, shape [...], in cycles per unit of z, 0 to n//2.

    Raises:
      UserError: shapes that do not match, an energy outside (0, 1), or a band that the grid cannot
        hold (above n/4, where aliases could be counted).

    Source: Rahaman et al. (2019), Eqn 14 and 15 (P_gamma, and its bound |k| max|gamma'|).
    """
    points, k = np.asarray(path, np.float64), np.asarray(wave_vectors, np.float64)
    if points.ndim != 2 or k.ndim == 0 or k.shape[-1] != points.shape[1]:
        raise UserError(
            "path",
            expected="points [n, d] and wave vectors [..., d]",
            got=f"shapes {points.shape} and {k.shape}",
            hint="put the coordinates on the last axis",
        )
    if not 0 < energy < 1:
        raise UserError("energy", expected="a share in (0, 1)", got=energy, hint="0.99 is usual")
    n = points.shape[0]
    power = np.abs(coefficients(np.exp(1j * (k @ points.T)))) ** 2
    # Bins l and -l side by side: what is within |l| <= b, for b = 0, 1, ...
    within = power[..., : n // 2 + 1].copy()
    within[..., 1 : (n + 1) // 2] += power[..., : n // 2 : -1]
    share = np.cumsum(within, axis=-1) / within.sum(axis=-1, keepdims=True)
    band = np.argmax(share >= energy, axis=-1)
    if np.any(band > n / 4):
        raise UserError(
            "path",
            expected=f"a band of at most n/4 = {n / 4:g} cycles",
            got=f"{int(np.max(band))}",
            hint="sample the curve more finely",
        )
    return band
