"""Exact gradients of ReLU networks of one input, as functions of the input, and their transforms.

A parameter moves kinks and slopes: the derivative of the network's output by it is linear between
the kinks of all units and, other than the output itself, may jump at them. Everything is float64,
frequencies are in cycles per unit, w = 2 pi k.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf.spectra.relu import checked_kinks

Arrays = Sequence[NDArray]


@dataclasses.dataclass(frozen=True, eq=False)
class JumpingPieces:
    """Functions that are linear between knots that they share, may jump there, and are 0 outside.

    Attributes:
      knots: increasing, shape [m + 1]; the first and the last are the ends of the interval.
      middles: values in the middle of each piece, shape [..., m].
      slopes: shape [..., m].
    """

    knots: NDArray[np.float64]
    middles: NDArray[np.float64]
    slopes: NDArray[np.float64]

    @property
    def jumps(self) -> NDArray[np.float64]:
        """Value after less value before every knot, from and to 0 at the ends, [..., m + 1]."""
        half = self.slopes * np.diff(self.knots) / 2
        nothing = np.zeros((*half.shape[:-1], 1))
        starts = np.concatenate([self.middles - half, nothing], axis=-1)
        return starts - np.concatenate([nothing, self.middles + half], axis=-1)

    @property
    def slope_jumps(self) -> NDArray[np.float64]:
        """Slope after less slope before every knot, from and to 0 at the ends, [..., m + 1]."""
        return np.diff(self.slopes, prepend=0.0, append=0.0)

    def detrended(self) -> "JumpingPieces":
        """The functions less the lines through their ends, which then jump inside alone."""
        jumps, middle = self.jumps, (self.knots[1:] + self.knots[:-1]) / 2
        first, last = jumps[..., :1], -jumps[..., -1:]
        slope = (last - first) / (self.knots[-1] - self.knots[0])
        line = first + slope * (middle - self.knots[0])
        return JumpingPieces(self.knots, self.middles - line, self.slopes - slope)

    def transform(self, frequencies: ArrayLike) -> NDArray[np.complex128]:
        """f~(k) = int f(x) exp(-i w x) dx, from jumps J_j and jumps of the slope S_j at knots x_j.

        f~(k) = sum_j [J_j / (i w) + S_j / (i w)^2] exp(-i w x_j), and the integral of f for k = 0:
        every jump is a step, whose transform is 1 / (i w), and every kink a ramp.

        Args:
          frequencies: k, any real numbers, any shape, in cycles per unit. Below about 1e-3 over the
            interval's length the terms cancel and digits are lost.

        Returns:
          complex128, shape [..., *that of the frequencies], in the functions' unit times the
          position's.

        Source: Rahaman et al. (2019), Lemma 1 in one dimension, for functions that jump.
        """
        k = np.asarray(frequencies, np.float64)
        flat, jumps, kinks = k.ravel(), self.jumps, self.slope_jumps
        result = np.empty((*self.middles.shape[:-1], flat.size), np.complex128)
        # exp at all knots for some frequencies at a time: at most about 64 MB.
        step = max(1, 2**22 // self.knots.size)
        for start in range(0, flat.size, step):
            w = 2 * np.pi * flat[start : start + step]
            waves = np.exp(-1j * self.knots[:, None] * w)
            with np.errstate(divide="ignore", invalid="ignore"):
                result[..., start : start + step] = jumps @ waves / (1j * w) - kinks @ waves / w**2
        result[..., flat == 0] = (self.middles @ np.diff(self.knots))[..., None]
        return result.reshape(*self.middles.shape[:-1], *k.shape)

    def transform_bound(self, frequencies: ArrayLike) -> NDArray[np.float64]:
        """sum_j |J_j| / w + sum_j |S_j| / w^2, at least |transform|; [..., *frequencies]."""
        w = 2 * np.pi * np.asarray(frequencies, np.float64)
        jumps, kinks = (_along(np.abs(a).sum(axis=-1), w) for a in (self.jumps, self.slope_jumps))
        return jumps / w + kinks / w**2

    def expected_magnitude(self, frequencies: ArrayLike) -> NDArray[np.float64]:
        """The root mean square of |transform| about a frequency at which knots do not cohere.

        sqrt(sum_j J_j^2 / w^2 + sum_j S_j^2 / w^4): in the mean of |f~|^2 over frequencies the
        products of different knots turn with w (x_i - x_j), and vanish over a band that is wide
        beside 1 / |x_i - x_j|. A step and a ramp at one knot are a quarter turn apart.

        Args:
          frequencies: k, not 0, any shape.

        Returns:
          float64, shape [..., *that of the frequencies].

        Source: Rahaman et al. (2019), appendix C.4, whose O(1/k) this is the size of.
        """
        w = 2 * np.pi * np.asarray(frequencies, np.float64)
        jumps, kinks = (_along((a**2).sum(axis=-1), w) for a in (self.jumps, self.slope_jumps))
        return np.sqrt(jumps / w**2 + kinks / w**4)


def _along(of_functions: NDArray, w: NDArray) -> NDArray:
    """Numbers [...] with axes of length 1 for those of the frequencies."""
    return np.reshape(of_functions, (*np.shape(of_functions), *(1,) * w.ndim))


def expected_change(
    function: JumpingPieces, derivative: JumpingPieces, frequencies: ArrayLike
) -> NDArray[np.float64]:
    """The root mean square of |f~ after - f~ before| when a network's kinks have moved.

    A kink S_j whose derivative along the change is a jump J_j has moved by -J_j / S_j, so that its
    wave has turned by w J_j / S_j: sqrt(sum_j (2 S_j / w^2 sin(w J_j / (2 S_j)))^2). While every
    turn is small this is the derivative's own sqrt(sum_j J_j^2) / w; beyond it the change is as
    small as the functions themselves, at most 2 sqrt(sum_j S_j^2) / w^2. Changes of the S_j, which
    fall as 1 / w^2 times the change, are left out.

    Args:
      function: f before, detrended or not, shape [m] of pieces.
      derivative: of f along the whole change of the parameters, on the same knots.
      frequencies: k, not 0, any shape.

    Returns:
      float64, the shape of the frequencies.

    Source: the text above; Rahaman et al. (2019), Eqn 9, where all turns are small.
    """
    w = 2 * np.pi * np.asarray(frequencies, np.float64)
    kinks, jumps = function.slope_jumps[1:-1], derivative.jumps[1:-1]
    # Half of the turn; a kink that is not there, 0, is not turned: what jumps stays a jump.
    half = w[..., None] * jumps / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(kinks == 0, 1.0, np.sinc(half / kinks / np.pi))
    return np.sqrt(((2 * half * share) ** 2).sum(axis=-1)) / w**2


def edge_of_first_order(function: JumpingPieces, derivative: JumpingPieces) -> float:
    """The frequency at which a first-order change would be as large as a kink can make it.

    sqrt(2 sum_j S_j^2 / sum_j J_j^2) / (2 pi), S and J as in `expected_change`: there the
    derivative's sqrt(sum J^2) / w meets what independent phases before and after give,
    sqrt(2 sum S^2) / w^2.

    Args:
      function, derivative: as there.

    Returns:
      in cycles per unit; infinite where no kink moves.
    """
    kinks, jumps = function.slope_jumps[1:-1], derivative.jumps[1:-1]
    with np.errstate(divide="ignore"):
        return float(np.sqrt(2 * (kinks**2).sum() / (jumps**2).sum()) / (2 * np.pi))


@dataclasses.dataclass(frozen=True, eq=False)
class ReluGradient:
    """The derivatives of a ReLU network of one input by its parameters, on an interval.

    Attributes:
      knots: the ends of the interval and the kinks of all units between, shape [m + 1].
      function: the network itself, one function.
      inputs, input_slopes: of every linear layer in the middles of the pieces, [m, d_in].
      backward: derivatives by the outputs of every linear layer, constant on pieces, [m, d_out].
    """

    knots: NDArray[np.float64]
    function: JumpingPieces
    inputs: Arrays
    input_slopes: Arrays
    backward: Arrays

    def by_kernel(self, layer: int, rows: ArrayLike, columns: ArrayLike) -> JumpingPieces:
        """The derivatives by entries W[row, column] of a layer's kernel, functions [p]."""
        i, j = np.asarray(rows, int), np.asarray(columns, int)
        onward = self.backward[layer].T[j]
        return JumpingPieces(
            self.knots, self.inputs[layer].T[i] * onward, self.input_slopes[layer].T[i] * onward
        )

    def by_bias(self, layer: int, units: ArrayLike) -> JumpingPieces:
        """The derivatives by entries of a layer's bias, functions [p], constant on pieces."""
        onward = self.backward[layer].T[np.asarray(units, int)]
        return JumpingPieces(self.knots, onward, np.zeros_like(onward))

    def along(self, kernels: Arrays, biases: Arrays) -> JumpingPieces:
        """The derivative along a change of all parameters, given as they are; one function."""
        middles, slopes = np.zeros(self.knots.size - 1), np.zeros(self.knots.size - 1)
        for layer, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
            moved = self.inputs[layer] @ kernel + bias
            middles += (moved * self.backward[layer]).sum(axis=1)
            slopes += (self.input_slopes[layer] @ kernel * self.backward[layer]).sum(axis=1)
        return JumpingPieces(self.knots, middles, slopes)


def relu_network_gradient(
    kernels: Arrays, biases: Arrays, interval: tuple[float, float] = (0.0, 1.0)
) -> ReluGradient:
    """The exact derivatives of a ReLU network of one input and one output by its parameters.

    With h the input of a layer and b the derivative of the output by the layer's outputs, the
    derivative by W[i, j] is h_i b_j and that by the bias b_j. h is linear between kinks and
    continuous, b constant between them: for all layers but the last it jumps at the kinks of the
    units from there on, and the transform falls as 1/k; for the last b = 1, and it falls as 1/k^2,
    as that of the network does.

    Args:
      kernels, biases, interval: as for `relu_network_pieces`.

    Returns:
      the derivatives, each a function of the input.

    Raises:
      UserError: shapes that do not fit, or an empty interval.

    Source: Rahaman et al. (2019), proposition 1 and appendix C.4.
    """
    layers, shifts, knots = checked_kinks(kernels, biases, interval)
    inputs, backward = _passes(layers, shifts, (knots[1:] + knots[:-1]) / 2)
    slopes = [np.ones((knots.size - 1, 1))]
    for kernel, outputs in zip(layers[:-1], inputs[1:], strict=True):
        slopes.append(slopes[-1] @ kernel * (outputs > 0))
    function = JumpingPieces(
        knots, (inputs[-1] @ layers[-1] + shifts[-1])[:, 0], (slopes[-1] @ layers[-1])[:, 0]
    )
    return ReluGradient(knots, function, inputs, slopes, backward)


def relu_loss_gradient(
    kernels: Arrays, biases: Arrays, positions: ArrayLike, targets: ArrayLike
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """The gradient of the mean squared error by kernels and by biases, whose negative descent goes.

    dL/dW = (2/n) sum_j r_j h(x_j) b(x_j)^T and dL/db = (2/n) sum_j r_j b(x_j), r = f - y.

    Args:
      kernels, biases: as for `relu_network_pieces`.
      positions, targets: x and y, shape [n].

    Returns:
      of the kernels' and of the biases' shapes.

    Raises:
      UserError: shapes that do not fit.

    Source: the chain rule, layer by layer.
    """
    x, y = np.asarray(positions, np.float64), np.asarray(targets, np.float64)
    layers, shifts, _ = checked_kinks(kernels, biases, (0.0, 1.0))
    inputs, backward = _passes(layers, shifts, x)
    errors = inputs[-1] @ layers[-1] + shifts[-1] - y[:, None]
    by_output = [2 / y.size * errors * onward for onward in backward]
    by_kernel = [h.T @ onward for h, onward in zip(inputs, by_output, strict=True)]
    return by_kernel, [onward.sum(axis=0) for onward in by_output]


def _passes(layers: Arrays, shifts: Arrays, x: NDArray) -> tuple[list[NDArray], list[NDArray]]:
    """Inputs of every linear layer at points [n], and derivatives of f by its outputs."""
    inputs = [x[:, None]]
    for kernel, bias in zip(layers[:-1], shifts[:-1], strict=True):
        inputs.append(np.maximum(inputs[-1] @ kernel + bias, 0.0))
    backward = [np.ones((x.size, 1))]
    for kernel, outputs in zip(layers[:0:-1], inputs[:0:-1], strict=True):
        backward.append(backward[-1] @ kernel.T * (outputs > 0))
    return inputs, backward[::-1]
