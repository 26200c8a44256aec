"""Exact facts about ReLU networks: their pieces, their Fourier transform, and bounds on both.

Everything is float64. The transform is the continuous one in cycles per unit,
f~(k) = int f(x) exp(-2 pi i k x) dx; with angular frequency w = 2 pi k it is the papers'
int f exp(-i w x) dx.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.norms import spectral_norms

Arrays = Sequence[NDArray]


@dataclasses.dataclass(frozen=True, eq=False)
class PiecewiseLinear:
    """A continuous function that is affine between its knots.

    Attributes:
      knots: increasing, shape [m + 1]; the first and the last are the ends of the interval.
      values: the function there, shape [m + 1].
      slopes: between them, shape [m].
    """

    knots: NDArray[np.float64]
    values: NDArray[np.float64]
    slopes: NDArray[np.float64]

    def __call__(self, positions: ArrayLike) -> NDArray[np.float64]:
        """The function at positions within the interval."""
        x = np.asarray(positions, np.float64)
        piece = np.clip(np.searchsorted(self.knots, x, side="right") - 1, 0, self.slopes.size - 1)
        return self.values[piece] + self.slopes[piece] * (x - self.knots[piece])

    @property
    def num_regions(self) -> int:
        """The number of linear regions in the interval, N_f."""
        return int(self.slopes.size)

    @property
    def lipschitz(self) -> float:
        """The exact Lipschitz constant on the interval, L_f = max |slope|."""
        return float(np.abs(self.slopes).max())

    @property
    def total_jump(self) -> float:
        """J = sum over inner knots of |slope after - slope before|."""
        return float(np.abs(np.diff(self.slopes)).sum())

    def detrended(self) -> "PiecewiseLinear":
        """The function less the line through its ends: continued by 0, it is continuous on R."""
        start, end = self.knots[0], self.knots[-1]
        slope = (self.values[-1] - self.values[0]) / (end - start)
        line = self.values[0] + slope * (self.knots - start)
        return PiecewiseLinear(self.knots, self.values - line, self.slopes - slope)

    def transform_bound(self, frequencies: ArrayLike) -> NDArray[np.float64]:
        """J' / (2 pi k)^2, at least |transform(k)| of a function that is 0 at both ends.

        J' is `total_jump` with the jumps at the ends, |first slope| + |last slope|.
        """
        jumps = self.total_jump + abs(self.slopes[0]) + abs(self.slopes[-1])
        return jumps / (2 * np.pi * np.asarray(frequencies, np.float64)) ** 2

    def transform(self, frequencies: ArrayLike) -> NDArray[np.complex128]:
        """The Fourier transform of the function on its interval [a, b], 0 outside.

        With w = 2 pi k, knots x_j and slopes s_j, by parts on every piece:
        f~(k) = (i / w) [f(x) e^(-i w x)]_a^b + (1 / w^2) sum_j s_j (e^(-i w x_(j+1)) - e^(-i w
        x_j)), and the integral of f for k = 0. The first term vanishes if f does at both ends.

        Args:
          frequencies: k, any real numbers, any shape, in cycles per unit. Below about 1e-3 over the
            interval's length the terms cancel and digits are lost.

        Returns:
          complex128, the shape of the frequencies, in the function's unit times the position's.

        Source: Rahaman et al. (2019), Lemma 1 and its proof in one dimension, with the boundary
        terms; their lemma carries the sign +i where their own convention of the transform gives -i.
        """
        k = np.asarray(frequencies, np.float64)
        flat = k.ravel()
        result = np.empty(flat.size, np.complex128)
        # exp at all knots for some frequencies at a time: at most about 64 MB.
        step = max(1, 2**22 // self.knots.size)
        for start in range(0, flat.size, step):
            w = 2 * np.pi * flat[start : start + step, None]
            waves = np.exp(-1j * w * self.knots)
            with np.errstate(divide="ignore", invalid="ignore"):
                ends = (
                    1j / w[:, 0] * (waves[:, -1] * self.values[-1] - waves[:, 0] * self.values[0])
                )
                result[start : start + step] = ends + np.diff(waves) @ self.slopes / w[:, 0] ** 2
        pairs = (self.values[1:] + self.values[:-1]) / 2
        result[flat == 0] = np.diff(self.knots) @ pairs
        return result.reshape(k.shape)


def relu_network_pieces(
    kernels: Arrays, biases: Arrays, interval: tuple[float, float] = (0.0, 1.0)
) -> PiecewiseLinear:
    """The exact pieces of a ReLU network of one input and one output.

    Kinks are found layer by layer: between the kinks of the layers before, a unit's input is
    affine, so its zero is a division. Neighbouring pieces of equal slope are joined.

    Args:
      kernels: of the affine layers in order, shapes [1, d_1], [d_1, d_2], ..., [d_K, 1], as Keras
        keeps them; ReLU after all but the last.
      biases: shapes [d_1], ..., [1].
      interval: (a, b), a < b, finite.

    Returns:
      The function on the interval.

    Raises:
      UserError: shapes that do not fit, or an empty interval.

    Source: Rahaman et al. (2019), section 2.1 (linear regions); Montufar et al. (2014).
    """
    layers, shifts, knots = checked_kinks(kernels, biases, interval)
    middles = (knots[1:] + knots[:-1]) / 2
    slopes = _forward(layers, shifts, middles)[1][:, 0]
    # Rounding leaves kinks of about 1e-16 of the slopes where a unit is switched off further on.
    kinks = np.abs(np.diff(slopes)) > 1e-12 * np.abs(slopes).max(initial=0.0)
    kept = np.concatenate([[True], kinks, [True]])
    knots = knots[kept]
    return PiecewiseLinear(
        knots, _forward(layers, shifts, knots)[0][:, 0], slopes[np.concatenate([[True], kinks])]
    )


def checked_kinks(
    kernels: Arrays, biases: Arrays, interval: tuple[float, float]
) -> tuple[list[NDArray], list[NDArray], NDArray[np.float64]]:
    """The parameters in float64, and the ends of the interval with the kinks of all units between.

    Args:
      kernels, biases, interval: as for `relu_network_pieces`.

    Raises:
      UserError: shapes that do not fit, or an empty interval.
    """
    layers = [np.asarray(w, np.float64) for w in kernels]
    shifts = [np.asarray(b, np.float64) for b in biases]
    shapes = [w.shape for w in layers]
    fits = len(layers) == len(shifts) > 0 and all(
        w.ndim == 2 and b.shape == w.shape[1:] for w, b in zip(layers, shifts, strict=True)
    )
    if (
        not fits
        or shapes[0][0] != 1
        or shapes[-1][1] != 1
        or any(a[1] != b[0] for a, b in itertools.pairwise(shapes))
    ):
        raise UserError(
            "kernels",
            expected="matrices from 1 input to 1 output, each with a bias of its width",
            got=f"kernels {shapes}, biases {[b.shape for b in shifts]}",
            hint="pass the kernels and biases of a network on one coordinate",
        )
    if not -np.inf < interval[0] < interval[1] < np.inf:
        raise UserError("interval", expected="a < b", got=interval, hint="swap the ends")
    knots = np.array(interval, np.float64)
    for depth in range(1, len(layers)):
        knots = _with_zeros(knots, _forward(layers[:depth], shifts[:depth], knots)[0])
    return layers, shifts, knots


def _forward(kernels: Arrays, biases: Arrays, x: NDArray) -> tuple[NDArray, NDArray]:
    """Last pre-activations [n, d] and their derivatives by x."""
    values, slopes = x[:, None], np.ones((x.size, 1))
    for i, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        if i:
            on = values > 0
            values, slopes = values * on, slopes * on
        values, slopes = values @ kernel + bias, slopes @ kernel
    return values, slopes


def _with_zeros(knots: NDArray, values: NDArray) -> NDArray:
    """The knots and, between them, the zeros of functions [knots, units] affine between them."""
    before, after = values[:-1], values[1:]
    piece, unit = np.nonzero((before > 0) != (after > 0))
    share = before[piece, unit] / (before[piece, unit] - after[piece, unit])
    zeros = knots[piece] + share * (knots[piece + 1] - knots[piece])
    return np.unique(np.concatenate([knots, zeros]))


def max_norm_bound(kernels: Arrays, biases: Arrays) -> float:
    """|theta|_inf^K sqrt(d) prod d_k: the largest Lipschitz constant that the parameters allow.

    K affine layers, d inputs, d_k the widths of the hidden layers; at least the product of the
    spectral norms, which is at least the Lipschitz constant.

    Source: Rahaman et al. (2019), Eqn 7 (their L + 1 is K here).
    """
    largest = max(float(np.abs(a).max()) for a in [*kernels, *biases])
    widths = [np.shape(w)[1] for w in kernels[:-1]]
    return float(largest ** len(kernels) * np.sqrt(np.shape(kernels[0])[0]) * np.prod(widths))


def spectral_norm_bound(kernels: Arrays) -> float:
    """The product of the spectral norms of all layers, at least the Lipschitz constant.

    Source: Rahaman et al. (2019), Eqn 7.
    """
    return float(np.prod([spectral_norms(np.asarray(w, np.float64)) for w in kernels]))


def planar_transform(
    vertices: ArrayLike, values: ArrayLike, triangles: ArrayLike, wave_vectors: ArrayLike
) -> NDArray[np.complex128]:
    """The Fourier transform of a continuous function of the plane, affine on triangles, 0 outside.

    f~(k) = int f(x) e^(-2 pi i k . x) dx. With w = 2 pi k, on triangle T with gradient g_T:
    f~ = -i sum_T (g_T . w / |w|^2) 1~_T(w), 1~_T(w) = sum over its edges of
    i (w . n / |w|^2) length e^(-i w . middle) sin(u)/u, u = w . edge / 2, n the outward normal.
    Generic directions decay as |k|^-3, normals of edges as |k|^-2.

    Args:
      vertices: shape [v, 2].
      values: of f there, shape [v]; 0 on the boundary of the triangles' union.
      triangles: indices of vertices, shape [t, 3], counter-clockwise.
      wave_vectors: k, not 0, shape [..., 2], in cycles per length.

    Returns:
      complex128, shape [...].

    Raises:
      UserError: a wave vector of 0.

    Source: Rahaman et al. (2019), Lemma 1 (sign as in `PiecewiseLinear.transform`) and Theorem 1;
    polygons by the divergence theorem (Diaz et al. 2016).
    """
    points, f = np.asarray(vertices, np.float64), np.asarray(values, np.float64)
    corners = np.asarray(triangles, int)
    w = 2 * np.pi * np.asarray(wave_vectors, np.float64)
    squared = np.sum(w**2, axis=-1)
    if np.any(squared == 0):
        raise UserError("wave_vectors", expected="none of 0", got="a 0", hint="integrate f instead")
    total = np.zeros(squared.shape, np.complex128)
    for corner in corners:
        p = points[corner]
        gradient = np.linalg.solve(p[1:] - p[0], f[corner][1:] - f[corner][0])
        edges = np.roll(p, -1, axis=0) - p
        outward = np.stack([edges[:, 1], -edges[:, 0]], axis=-1)  # Normal times length.
        middles = p + edges / 2
        # numpy's sinc(t) is sin(pi t)/(pi t).
        waves = np.exp(-1j * (w @ middles.T)) * np.sinc(w @ edges.T / (2 * np.pi))
        indicator = 1j * np.sum(waves * (w @ outward.T), axis=-1) / squared
        total += -1j * (w @ gradient) / squared * indicator
    return total
