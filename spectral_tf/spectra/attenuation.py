"""How much of a spectrum survives when a function is disturbed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.dft import coefficients
from spectral_tf.spectra.learning import learning_times


def attenuation(
    disturbed: ArrayLike, undisturbed: ArrayLike, frequencies: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What disturbances leave of each frequency, in both readings of the paper.

    With F_u[k] the coefficients of the function under disturbance u and F[k] those without:
    mean over u of |F_u[k]| / |F[k]| (the published code), and |mean over u of F_u[k]| / |F[k]|, the
    spectrum of the mean function (the paper's notation). The second is never above the first.

    Args:
      disturbed: samples on the uniform grid, shape [..., d, n], one row for each disturbance.
      undisturbed: shape [n].
      frequencies: whole cycles per unit, above 0 and below n/2; the undisturbed function must have
        all of them.

    Returns:
      two float64 arrays [..., m]: ratio of the mean magnitude, ratio of the mean function; at
      least 0, 1 for what is left as it was.

    Raises:
      UserError: shapes that do not match, a frequency out of range or absent.

    Source: Rahaman et al. (2019), experiment 2 (Eqn 10, Fig 3).
    """
    samples, reference = np.asarray(disturbed, np.float64), np.asarray(undisturbed, np.float64)
    k = np.asarray(frequencies)
    n = reference.size
    if reference.ndim != 1 or samples.ndim < 2 or samples.shape[-1] != n:
        raise UserError(
            "disturbed",
            expected=f"shape [..., d, {n}], as many samples as undisturbed",
            got=f"shapes {samples.shape} and {reference.shape}",
            hint="put the samples on the last axis",
        )
    if k.size == 0 or np.any(k != np.round(k)) or np.any(k <= 0) or np.any(k >= n / 2):
        raise UserError(
            "frequencies",
            expected=f"whole numbers of cycles above 0 and below {n / 2:g}",
            got=list(frequencies),
            hint="lower them or raise the number of samples",
        )
    k = k.astype(int)
    whole = np.abs(coefficients(reference)[k])
    if np.any(whole == 0):
        raise UserError(
            "frequencies",
            expected="frequencies that the undisturbed function has",
            got=f"none of {k[whole == 0].tolist()} in it",
            hint="drop them",
        )
    rows = coefficients(samples)[..., k]
    return np.abs(rows).mean(axis=-2) / whole, np.abs(rows.mean(axis=-2)) / whole


def half_attenuation_norms(
    norms: ArrayLike, ratios: ArrayLike, level: float = 0.5
) -> NDArray[np.float64]:
    """The first norm at which each ratio has fallen to a level, interpolated linearly.

    Args:
      norms: increasing, shape [p].
      ratios: shape [..., p, m], the norms on the second-to-last axis.
      level: in the unit of the ratios.

    Returns:
      float64, shape [..., m], in the unit of the norms; `inf` where the level is never reached.

    Raises:
      UserError: as `learning_times`.
    """
    return learning_times(norms, -np.asarray(ratios, np.float64), -level)
