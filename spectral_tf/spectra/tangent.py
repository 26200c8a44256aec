"""What a tangent kernel predicts: how fast each frequency is learned by gradient descent."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError


def frequency_rates(kernels: ArrayLike, frequencies: Sequence[int]) -> NDArray[np.float64]:
    """The rate at which a kernel lets each frequency of the error decay.

    Gradient descent of rate eta on the mean squared error moves the errors r of a linearised
    network by r <- r - (2 eta / n) K r; a frequency k of r, taken alone, then decays as
    exp(-eta rate_k t) over t steps, rate_k = (2/n) q_k* K q_k with
    q_k[j] = exp(2 pi i j k/n) / sqrt(n). Exact for kernels that depend on differences of positions
    on a circle alone; otherwise the rate at the start, which slows down as the parts of the wave
    with large eigenvalues are learned.

    Args:
      kernels: K on the uniform grid, shape [..., n, n].
      frequencies: whole cycles per unit, 0 to n/2.

    Returns:
      float64, shape [..., m], at least 0 up to rounding; times eta it is per step.

    Raises:
      UserError: a kernel that is not square or a frequency out of range.

    Source: Jacot, Gabriel and Hongler (2018), section 5; Basri et al. (2019), arXiv 1906.00425.
    """
    kernel = np.asarray(kernels, np.float64)
    waves = _waves(kernel, frequencies)
    return 2 / len(waves) * np.einsum("jm,...jm->...m", waves.conj(), kernel @ waves).real


def _waves(kernel: NDArray, frequencies: Sequence[int]) -> NDArray[np.complex128]:
    """exp(2 pi i j k / n) / sqrt(n), [n, m], for a kernel [..., n, n]."""
    k, n = np.asarray(frequencies), kernel.shape[-1] if kernel.ndim > 1 else 0
    if kernel.ndim < 2 or kernel.shape[-2] != n:
        raise UserError(
            "kernels", expected="shape [..., n, n]", got=f"shape {kernel.shape}", hint="square them"
        )
    if k.size == 0 or np.any(k != np.round(k)) or np.any(k < 0) or np.any(k > n / 2):
        raise UserError(
            "frequencies",
            expected=f"whole numbers from 0 to {n // 2}",
            got=list(frequencies),
            hint="lower them or take more samples",
        )
    return np.exp(2j * np.pi * np.outer(np.arange(n), k) / n) / np.sqrt(n)


def frequency_velocities(
    kernels: ArrayLike, errors: ArrayLike, frequencies: Sequence[int]
) -> NDArray[np.complex128]:
    """How fast gradient descent changes each coefficient of the error, exactly for small steps.

    d r~(k) / dt = -(2/n) (1/n) sum_j (K r)_j exp(-2 pi i j k / n), r = f - y, the loss the mean of
    r^2, t the rate times the step. It is linear in r: of the target's part (r = -y) and the
    network's own (r = f) the sum is the whole.

    Args:
      kernels: K, the tangent kernel at that moment, shape [..., n, n].
      errors: r on the same uniform grid, shape [..., n].
      frequencies: whole cycles per unit, 0 to n/2.

    Returns:
      complex128, shape [..., m], in the errors' unit over that of t.

    Raises:
      UserError: as `frequency_rates`.

    Source: Rahaman et al. (2019), Eqn 9 and appendix C.5; Jacot et al. (2018) for the kernel.

    >>> velocity = frequency_velocities(np.eye(4), [1.0, 0.0, -1.0, 0.0], [1])
    >>> float(velocity[0].real), round(abs(float(velocity[0].imag)), 9)
    (-0.25, 0.0)
    """
    kernel, r = np.asarray(kernels, np.float64), np.asarray(errors, np.float64)
    waves = _waves(kernel, frequencies)
    moved = -2 / len(waves) * (kernel @ r[..., None])[..., 0]
    return moved @ waves.conj() / np.sqrt(len(waves))


def velocity_bounds(
    kernels: ArrayLike, errors: ArrayLike, frequencies: Sequence[int]
) -> NDArray[np.float64]:
    """The size of a coefficient's gradient times that of the loss's, at least its velocity.

    |d r~(k) / dt| <= |d f~(k) / dtheta| |d L / dtheta| (Cauchy and Schwarz); the first is
    sqrt(q_k* K q_k / n), the root of half of the frequency's rate, the second
    (2/n) sqrt(r^T K r). All that depends on k is the first.

    Args:
      kernels, errors, frequencies: as for `frequency_velocities`.

    Returns:
      float64, shape [..., m], in its unit.

    Raises:
      UserError: as `frequency_rates`.

    Source: Rahaman et al. (2019), appendices C.4 and C.5.
    """
    kernel, r = np.asarray(kernels, np.float64), np.asarray(errors, np.float64)
    of_frequency = np.sqrt(np.maximum(frequency_rates(kernel, frequencies), 0.0) / 2)
    squared = np.einsum("...i,...ij,...j->...", r, kernel, r)
    of_loss = 2 / r.shape[-1] * np.sqrt(np.maximum(squared, 0.0))
    return of_frequency * of_loss[..., None]


def linearised_functions(
    kernel: ArrayLike,
    initial: ArrayLike,
    targets: ArrayLike,
    learning_rate: float,
    steps: ArrayLike,
) -> NDArray[np.float64]:
    """What gradient descent makes of a network whose tangent kernel never changes.

    f_t = y + (1 - (2 eta / n) K)^t (f_0 - y), exactly, for the mean squared error of n samples.

    Args:
      kernel: K, symmetric, shape [n, n].
      initial, targets: f_0 and y, shape [n].
      learning_rate: eta, above 0 and below n / (largest eigenvalue of K), where descent is stable.
      steps: t, at least 0, shape [s].

    Returns:
      float64, shape [s, n].

    Raises:
      UserError: the rate is not in that range.

    Source: Lee et al. (2019), "Wide neural networks of any depth evolve as linear models",
      arXiv 1902.06720, for discrete steps.
    """
    k, start, y = (np.asarray(a, np.float64) for a in (kernel, initial, targets))
    n = y.size
    values, vectors = np.linalg.eigh(k)
    limit = n / values[-1]
    if not 0 < learning_rate < limit:
        raise UserError(
            "learning_rate",
            expected=f"above 0 and below {limit:.3g}, where descent is stable",
            got=learning_rate,
            hint="lower it",
        )
    # Rounding may leave eigenvalues a little below 0; they stand for directions that stay.
    factors = 1 - 2 * learning_rate / n * np.maximum(values, 0.0)
    powers = factors ** np.asarray(steps, int)[:, None]
    return y + powers * (vectors.T @ (start - y)) @ vectors.T
