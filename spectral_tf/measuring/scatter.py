"""Scattered points of any dimension, where a Fourier transform over the data means nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectral_tf import spectra
from spectral_tf.errors import UserError
from spectral_tf.measuring.measurement import Coordinate, Quantity, number
from spectral_tf.measuring.places import Found, as_unit, digest, numbers


@dataclasses.dataclass(frozen=True, eq=False)
class Scatter:
    """Points of any dimension, such as a test set: what is low and what is high among neighbours.

    A Gaussian filter over the points splits what the function does there (`spectra.filter_errors`):
    the low part is a mean over neighbours, the high part is the rest. `low_share` is the low part's
    share of the mean square of what varies, by the `cutoff` at which the filter halves the
    amplitude of a wave. With targets also `low_error` and `high_error`, relative to the target's
    own parts beside its mean: 0 learned, 1 as if only the mean were; and `target_low_share`.

    Args:
      inputs: as the model takes them, [n, ...], n at least 3.
      sigmas: bandwidths of the filter, in units of the points; default: ten from two effective
        points in a mean to half of all (`spectra.filter_bandwidths`).
      points: where the samples lie, [n, d]; default: the inputs, flattened. Others are features, or
        positions on a manifold.

    Raises:
      UserError: fewer than 3 points, points of another number, numbers that are not finite, sigmas
        that are not above 0.

    Cost: n^2 (d + 10 for each bandwidth) products for every measurement, in blocks of 64 MiB; 2,000
    images of 784 pixels took half a second on 2 cores, 5,000 two.

    >>> where = Scatter(np.random.default_rng(0).uniform(size=(200, 5)))
    >>> where.count, where.record()["bandwidths"]
    (200, 10)
    """

    inputs: ArrayLike
    sigmas: Sequence[float] | None = None
    points: ArrayLike | None = None
    name = "scattered points"
    of_logarithms = False
    _points: NDArray[np.float64] = dataclasses.field(init=False, repr=False)
    _sigmas: NDArray[np.float64] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        x = as_unit(numbers("Scatter", self.inputs))
        given = x if self.points is None else as_unit(numbers("Scatter", self.points))
        if x.ndim < 1 or len(x) < 3 or given.shape[:1] != x.shape[:1]:
            raise UserError(
                "Scatter",
                expected="3 points or more, numbers, one for each input",
                got=f"inputs {x.shape} and points {given.shape} ({given.dtype})",
                hint="give [n, ...]",
            )
        points = given.reshape(len(given), -1).astype(np.float64)
        sigmas = spectra.filter_bandwidths(points) if self.sigmas is None else self.sigmas
        sigmas = np.atleast_1d(np.asarray(sigmas, np.float64))
        if not sigmas.size or not np.all((sigmas > 0) & np.isfinite(sigmas)):
            raise UserError(
                "sigmas", expected="numbers above 0", got=sigmas.tolist(), hint="leave them out"
            )
        object.__setattr__(self, "inputs", x)
        object.__setattr__(self, "_points", points)
        # So that cutoffs rise.
        object.__setattr__(self, "_sigmas", np.sort(sigmas)[::-1])

    @property
    def count(self) -> int:
        """Points in all."""
        return len(self._points)

    def samples(self, rows: slice) -> NDArray:
        """Inputs [b, ...]."""
        return np.asarray(self.inputs)[rows]

    def record(self) -> dict[str, Any]:
        """What a measurement says of it."""
        dimensions = self._points.shape[1]
        return {
            "points": self.count,
            "dimensions": dimensions,
            "bandwidths": self._sigmas.size,
            "sha256": digest(self.inputs, self._points, self._sigmas),
        }

    def found(self, values: NDArray[np.float64], targets: NDArray[np.float64] | None) -> Found:
        """What values [n, c] say; see the class."""
        # The mean is of no frequency: of a target it would be nearly all that is low.
        varying = values - values.mean(axis=0)
        own = spectra.filter_errors(self._points, varying, np.zeros_like(varying), self._sigmas)
        axes = ("cutoff",)
        quantities = {"low_share": Quantity(own.low_share, axes)}
        if targets is not None:
            mean = targets.mean(axis=0)
            error = spectra.filter_errors(self._points, targets - mean, values - mean, self._sigmas)
            quantities["low_error"] = Quantity(error.low, axes)
            quantities["high_error"] = Quantity(error.high, axes)
            quantities["target_low_share"] = Quantity(error.low_share, axes)
            quantities["error"] = number(np.mean((values - targets) ** 2))
        quantities["effective_points"] = Quantity(own.effective_points, axes, "points")
        cutoff = Coordinate(own.half_frequencies, "cycles per unit of distance")
        lonely = own.effective_points < 1.5
        note = f"{lonely.sum()} of {lonely.size} bandwidths see no neighbours: all is low there"
        return Found(quantities, {"cutoff": cutoff}, [note] if lonely.any() else [])
