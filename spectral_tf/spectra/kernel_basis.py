"""The eigenfunctions of a Gaussian kernel on a set of points, and functions expanded in them."""

import os
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

SOLVERS = ("full", "truncated", "nystroem")


class KernelBasis(NamedTuple):
    """Orthonormal eigenvectors of a kernel matrix, by decreasing eigenvalue.

    Attributes:
      eigenvalues: shape [m], m <= n.
      functions: one eigenvector in each column, shape [n, m].
    """

    eigenvalues: NDArray[np.float64]
    functions: NDArray[np.float64]

    def coefficients(self, values: ArrayLike) -> NDArray[np.float64]:
        """c_m = v_m . f for functions f given by values [..., n]: shape [..., m].

        With all n eigenvectors sum_m c_m^2 = sum_j f_j^2.
        """
        return np.asarray(values, np.float64) @ self.functions


def gaussian_kernel(
    points: ArrayLike, others: ArrayLike | None = None, *, width: float
) -> NDArray[np.float64]:
    """K_ij = exp(-|x_i - y_j|^2 / (2 width^2)) in float64, shape [n, m].

    Source: the code of Rahaman et al. (2019), experiment 4 (width 1.25); their text has
    exp(|x - y| / width^2), without sign and square.

    Args:
      points: x, shape [n, d].
      others: y, shape [m, d]; default: x.
      width: in units of the points, above 0.

    Raises:
      UserError: a width that is not above 0.
    """
    if not 0 < width < np.inf:
        raise UserError("kernel width", expected="above 0", got=width, hint="1.25 is the paper's")
    x = np.asarray(points, np.float64)
    y = x if others is None else np.asarray(others, np.float64)
    squares = (x**2).sum(axis=1)[:, np.newaxis] + (y**2).sum(axis=1) - 2 * (x @ y.T)
    kernel = np.exp(np.maximum(squares, 0) / (-2 * width**2))
    if others is None:
        np.fill_diagonal(kernel, 1.0)
    return kernel


def kernel_basis(
    points: ArrayLike,
    width: float,
    *,
    solver: str = "full",
    num_functions: int | None = None,
    seed: int = 0,
) -> KernelBasis:
    """Eigenfunctions of the Gaussian kernel on n points, by LAPACK in float64.

    Each eigenvector's sign is such that its entry of largest magnitude is positive. Where
    eigenvalues are as good as equal (most are near 1 for a kernel much narrower than the distances
    between the points) the vectors are an arbitrary basis of their space: trust averages over many.

    Args:
      points: shape [n, d].
      width: of the kernel.
      solver: `full`: all n, memory about 24 n^2 bytes; `truncated`: the `num_functions` of largest
        eigenvalue, about 16 n^2; `nystroem`: those of the approximation C W^+ C^T with C the kernel
        between all points and `num_functions` of them, drawn without replacement, and W that
        between these; about 24 n times `num_functions`. These too are exactly orthonormal.
      num_functions: m, 1 ... n; default n.
      seed: of the points that `nystroem` draws.

    Raises:
      UserError: an unknown solver, a number outside 1 ... n, a number with `full`, or more memory
        than the machine has.
    """
    x = np.asarray(points, np.float64)
    n = len(x)
    m = n if num_functions is None else num_functions
    if solver not in SOLVERS or not 1 <= m <= n or (solver == "full" and m != n):
        raise UserError(
            "kernel basis",
            expected=f"solver full, or one of {' and '.join(SOLVERS[1:])} with 1 to {n} functions",
            got=f"{solver} with {m}",
            hint="full gives all of them",
        )
    need = {"full": 24 * n * n, "truncated": 16 * n * n, "nystroem": 24 * n * m}[solver]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if need > 0.8 * memory:
        raise UserError(
            "kernel basis",
            expected=f"less than {0.8 * memory / 1e9:.0f} GB",
            got=f"{n:,} points, for which {solver} takes {need / 1e9:.0f} GB",
            hint="take fewer points, or --eigensolver=nystroem with --num_eigenfunctions",
        )
    if solver == "nystroem":
        chosen = np.sort(np.random.default_rng(seed).choice(n, m, replace=False))
        corner, across = scipy.linalg.eigh(gaussian_kernel(x[chosen], width=width))
        # K is about (C W^-1/2)(C W^-1/2)^T; its eigenvectors are the left singular vectors.
        kept = corner > corner[-1] * m * np.finfo(float).eps
        half = gaussian_kernel(x, x[chosen], width=width) @ (
            across[:, kept] / np.sqrt(corner[kept])
        )
        vectors, singular, _ = scipy.linalg.svd(half, full_matrices=False, overwrite_a=True)
        return KernelBasis(singular**2, _signed(vectors))
    values, vectors = scipy.linalg.eigh(
        gaussian_kernel(x, width=width),
        overwrite_a=True,
        subset_by_index=None if solver == "full" else (n - m, n - 1),
    )
    return KernelBasis(values[::-1], _signed(vectors[:, ::-1]))


def bin_means(values: ArrayLike, num_bins: int) -> NDArray[np.float64]:
    """Means over `num_bins` even stretches of the last axis [..., m]: shape [..., num_bins].

    Raises:
      UserError: more bins than values, or none.
    """
    array = np.asarray(values, np.float64)
    if not 1 <= num_bins <= array.shape[-1]:
        raise UserError(
            "num_bins",
            expected=f"1 to {array.shape[-1]}, one for each eigenfunction at most",
            got=num_bins,
            hint="take fewer bins",
        )
    parts = np.array_split(array, num_bins, axis=-1)
    return np.stack([part.mean(axis=-1) for part in parts], axis=-1)


def _signed(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[np.newaxis], axis=0)
    return vectors * np.sign(largest)
