"""How what is measured grows with size: an exponent with its interval, and how far it goes."""

import dataclasses

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.inference import Estimate, not_enough
from spectral_tf.spectra.intervals import UPPER
from spectral_tf.spectra.learning import fit_power_law

# An offset, a factor and an exponent leave nothing over of three points.
POINTS_WITH_OFFSET = 4
# What grows less than by this in all is called constant: it tells no exponent.
CONSTANT = 1.25


@dataclasses.dataclass(frozen=True)
class Growth:
    """y = offset + prefactor * x**exponent.

    Attributes:
      exponent: with its interval; no value where the points do not tell one.
      prefactor, offset: in the unit of y; NaN without an exponent.
      smallest, largest: sizes between which the fit holds.
    """

    exponent: Estimate
    prefactor: float
    offset: float
    smallest: float
    largest: float

    def __call__(self, x: ArrayLike) -> NDArray[np.float64]:
        """The values at sizes x; NaN without an exponent."""
        powers = np.asarray(x, np.float64) ** float(self.exponent.value)
        return np.asarray(self.offset + self.prefactor * powers)

    def size_at(self, limit: float) -> float:
        """The size at which y is the limit, by extrapolation; NaN where it does not grow.

        >>> round(fit_growth([1, 2, 4], [24, 96, 384]).size_at(24e6))
        1000
        """
        exponent = float(self.exponent.value)
        if not (exponent > 0 and self.prefactor > 0):
            return float("nan")
        return float((max(limit - self.offset, 0.0) / self.prefactor) ** (1 / exponent))


def upper_half(x: ArrayLike) -> NDArray[np.bool_]:
    """Which sizes are in the upper half of their order, the middle one too; three if there are.

    >>> upper_half([1, 2, 4, 8, 16]).tolist()
    [False, False, True, True, True]
    """
    sizes = np.asarray(x, np.float64)
    count = max(-(-sizes.size // 2), min(3, sizes.size))
    chosen = np.zeros(sizes.size, bool)
    chosen[np.argsort(sizes, kind="stable")[sizes.size - count :]] = True
    return chosen


def fit_growth(x: ArrayLike, y: ArrayLike) -> Growth:
    """A power law by least squares of log y on log x over the upper half of the sizes.

    What is constant at small sizes, such as the cost of a call, is left to the lower half.

    Args:
      x: sizes above 0, [m].
      y: above 0, [m].

    Raises:
      UserError: as `fit_power_law`.

    >>> round(float(fit_growth([1, 2, 4, 8, 16], [9, 9, 32, 128, 512]).exponent.value), 6)
    2.0
    """
    chosen = upper_half(x)
    sizes, values = np.asarray(x, np.float64)[chosen], np.asarray(y, np.float64)[chosen]
    law = fit_power_law(sizes, values)
    ends = (float(sizes.min()), float(sizes.max())) if sizes.size else (np.nan, np.nan)
    return Growth(law.exponent, law.prefactor, 0.0, *ends)


def fit_growth_with_offset(x: ArrayLike, y: ArrayLike) -> Growth:
    """A power law and a constant: y = c + b x^p, by least squares of log y over all sizes.

    The offset c, at least 0, is what the small sizes tell: memory of programs that a size does not
    change. The interval of p is Student's, from the curvature of the squares at their least (m - 3
    degrees of freedom).

    Args:
      x: sizes above 0, [m].
      y: above 0, [m].

    Returns:
      no exponent for fewer than `POINTS_WITH_OFFSET` points, or where the largest y is not
      `CONSTANT` times the least.

    Raises:
      UserError: other than as many x as y, all above 0.
    """
    sizes, values = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if sizes.shape != values.shape or sizes.ndim != 1 or not (sizes > 0).all():
        raise UserError("sizes", expected="as many as values, above 0", got=x, hint="look at them")
    if not (values > 0).all():
        raise UserError("values", expected="above 0", got=y, hint="leave the others out")
    ends = (float(sizes.min()), float(sizes.max())) if sizes.size else (np.nan, np.nan)
    if sizes.size < POINTS_WITH_OFFSET:
        return Growth(not_enough(sizes.size, POINTS_WITH_OFFSET, "points"), np.nan, np.nan, *ends)
    if values.max() < CONSTANT * values.min():
        nothing = dataclasses.replace(not_enough(0, 1, "points"), missing="does not grow")
        return Growth(nothing, np.nan, np.nan, *ends)
    log_y, log_x = np.log(values), np.log(sizes / sizes.max())
    start = float(np.clip(np.polyfit(log_x[-3:], log_y[-3:], 1)[0], 0.1, 6.0))

    def left(parameters: NDArray) -> NDArray:
        log_b, p, c = parameters
        return np.log(c * values.min() + np.exp(log_b + p * log_x)) - log_y

    # Shares of the least value as offsets to start from: the squares may have two valleys.
    found = min(
        (
            scipy.optimize.least_squares(
                left,
                (np.log(max(values.max() - c * values.min(), 1e-3 * values.max())), start, c),
                bounds=((-np.inf, 0.0, 0.0), (np.inf, 8.0, 1.0 + 1e-9)),
                x_scale=(1.0, 1.0, 0.1),
            )
            for c in (0.0, 0.5, 0.95)
        ),
        key=lambda fit: fit.cost,
    )
    log_b, p, c = (float(number) for number in found.x)
    freedom = sizes.size - 3
    covariance = np.linalg.pinv(found.jac.T @ found.jac) * 2 * found.cost / freedom
    margin = float(np.sqrt(covariance[1, 1]) * scipy.special.stdtrit(float(freedom), UPPER))
    exponent = Estimate(
        value=np.asarray(p),
        low=np.asarray(p - margin),
        high=np.asarray(p + margin),
        n=sizes.size,
        unit="points",
        method="Student over points about the curve",
    )
    return Growth(exponent, float(np.exp(log_b) / sizes.max() ** p), c * values.min(), *ends)
