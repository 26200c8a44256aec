"""Fourier coefficients at any frequencies of samples at any positions."""

import importlib.util
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError

# The direct sum holds one block of the position-by-frequency matrix at a time.
_BLOCK_BYTES = 64 * 2**20


def coefficients_at(
    samples: ArrayLike,
    positions: ArrayLike,
    frequencies: ArrayLike,
    method: Literal["auto", "direct", "finufft"] = "auto",
) -> NDArray[np.complex128]:
    """F(k) = (1/n) sum_j f_j exp(-2 pi i k x_j) for any real k and any real x_j.

    On the uniform grid x_j = j/n and at whole k this is `coefficients`. For unevenly spread
    positions it is the plain average, without quadrature weights.

    Args:
      samples: real or complex, shape [..., n].
      positions: real, shape [n], in units.
      frequencies: real, shape [m], in cycles per unit; negative ones are allowed.
      method: "direct" sums in blocks of 64 MiB, n m products per row of samples; "finufft" takes
        the fast transform of the optional extra `finufft` (relative accuracy 1e-12); "auto" takes
        finufft where it is installed and the sum is long (n m > 1e6), else the direct sum.

    Returns:
      complex128, shape [..., m], in the samples' unit. Sees phase.

    Raises:
      UserError: shapes do not match, an unknown method, or "finufft" without that package.

    Source: the type-3 non-uniform transform of Barnett, Magland and af Klinteberg (2019),
    scaled by 1/n.
    """
    f = np.asarray(samples)
    x = np.asarray(positions, dtype=np.float64)
    k = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    if x.ndim != 1 or x.size == 0 or f.shape[-1:] != x.shape or k.ndim != 1:
        raise UserError(
            "samples",
            expected="samples [..., n], positions [n] and frequencies [m] with n of at least 1",
            got=f"shapes {f.shape}, {x.shape} and {k.shape}",
            hint="give one position for every sample",
        )
    if method not in ("auto", "direct", "finufft"):
        raise UserError(
            "method", expected="auto, direct or finufft", got=repr(method), hint="choose one"
        )
    installed = importlib.util.find_spec("finufft") is not None
    if method == "finufft" and not installed:
        raise UserError(
            "method",
            expected="an installed finufft",
            got="none",
            hint="pip install 'spectral-tf[finufft]' or use method='direct'",
        )
    rows = f.reshape(-1, x.size).astype(np.complex128)
    if method == "finufft" or (method == "auto" and installed and x.size * k.size > 10**6):
        result = _fast(rows, x, k)
    else:
        result = _direct(rows, x, k)
    return (result / x.size).reshape((*f.shape[:-1], k.size))


def _direct(rows: NDArray, x: NDArray, k: NDArray) -> NDArray[np.complex128]:
    result = np.empty((rows.shape[0], k.size), np.complex128)
    block = max(1, _BLOCK_BYTES // (16 * x.size))
    for start in range(0, k.size, block):
        part = k[start : start + block]
        result[:, start : start + block] = rows @ np.exp(-2j * np.pi * np.outer(x, part))
    return result


def _fast(rows: NDArray, x: NDArray, k: NDArray) -> NDArray[np.complex128]:
    import finufft

    result = finufft.nufft1d3(2 * np.pi * x, rows, k, isign=-1, eps=1e-13)
    return np.asarray(result).reshape(rows.shape[0], k.size)
