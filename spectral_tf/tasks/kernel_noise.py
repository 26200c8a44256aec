"""Noise that is the stronger in an eigenfunction of a kernel the later that comes."""

import numpy as np
from numpy.typing import NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra import KernelBasis


def kernel_noise(
    basis: KernelBasis, exponent: float, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Noise psi = sum_n s_n^gamma v_n, s_n = n / (m - 1) for n = 0 ... m - 1, with random signs.

    Eigenvectors have no sign of their own, so each is given one at random; the published code takes
    those that its linear algebra returned. mean_j psi_j^2 is (1/n) sum s^(2 gamma), close to
    1 / (2 gamma + 1) for a full basis: 0.2 for gamma = 2.

    Args:
      basis: by decreasing eigenvalue, m functions, at least 2.
      exponent: gamma, 0 or more (the paper's 2).
      generator: draws the signs.

    Returns:
      Shape [n].

    Raises:
      UserError: a negative exponent or fewer than 2 functions.

    Source: Rahaman et al. (2019), Eqn 11.
    """
    count = basis.eigenvalues.size
    if not exponent >= 0 or count < 2:
        raise UserError(
            "kernel noise",
            expected="an exponent of 0 or more and at least 2 eigenfunctions",
            got=f"{exponent} and {count}",
            hint="the paper's exponent is 2",
        )
    signs = generator.choice([-1.0, 1.0], size=count)
    return basis.functions @ (signs * np.linspace(0.0, 1.0, count) ** exponent)
