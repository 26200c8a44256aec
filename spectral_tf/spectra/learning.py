"""When each frequency is learned, and how that time grows with the frequency."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.estimate import UPPER, Estimate, not_enough
from spectral_tf.spectra.intervals import jackknife, mean_over_runs


def learning_times(steps: ArrayLike, curves: ArrayLike, level: float = 0.5) -> NDArray[np.float64]:
    """The first step at which each curve reaches a level, interpolated linearly; `inf` for never.

    t = s_(i-1) + (level - c_(i-1)) / (c_i - c_(i-1)) * (s_i - s_(i-1)) for the first i with
    c_i >= level; t = s_0 when the first point is there already.

    Args:
      steps: increasing, shape [s], in training steps.
      curves: one value for each step on the second-to-last axis, shape [..., s, m] (or [s]), e.g.
        normalised magnitudes of m frequencies. NaN counts as not reached.
      level: in the curves' unit.

    Returns:
      float64, shape [..., m] (a scalar array for [s]), in steps; at least steps[0]; `inf` where
      the level is never reached, which is a value and no error; NaN for a curve of NaN alone.

    Raises:
      UserError: steps do not increase, or their number is not that of the curves' points.

    Source: Rahaman et al. (2019), Fig 1, read as learning times.
    """
    s = np.asarray(steps, dtype=np.float64)
    c = np.asarray(curves, dtype=np.float64)
    if single := c.ndim == 1:
        c = c[:, None]
    if s.ndim != 1 or s.size == 0 or c.ndim < 2 or c.shape[-2] != s.size or np.any(np.diff(s) <= 0):
        raise UserError(
            "steps",
            expected="increasing steps, one for each point of a curve",
            got=f"{s.size} steps for curves of shape {np.shape(curves)}",
            hint="put the steps on the second-to-last axis of the curves",
        )
    reached = c >= level
    i = np.argmax(reached, axis=-2)
    before = np.maximum(i - 1, 0)
    c_i = np.take_along_axis(c, i[..., None, :], axis=-2)[..., 0, :]
    c_before = np.take_along_axis(c, before[..., None, :], axis=-2)[..., 0, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(i > 0, (level - c_before) / (c_i - c_before), 0.0)
    # After a gap of NaN there is nothing to interpolate from: the step itself is the answer.
    share = np.where(np.isfinite(share), share, 1.0)
    times = s[before] + share * (s[i] - s[before])
    times = np.where(reached.any(axis=-2), times, np.inf)
    times = np.where(np.isnan(c).all(axis=-2), np.nan, times)
    return times[..., 0] if single else times


def crossing(steps: ArrayLike, band: Estimate, level: float) -> Estimate:
    """When a mean curve reaches a level: where the curve does, and where its band does.

    The interval goes from the first step at which the upper end of the band reaches the level to
    the first at which the lower end does; `inf`, never, is a legal end. Where the band has no ends
    (a single run is left) the curve may be anywhere.

    What varies: as in the band. Held fixed: the steps.

    Args:
      steps: increasing, shape [s].
      band: of the curve, shape [s, ...].
      level: in its unit. For curves that fall give -band and -level.

    Returns:
      in steps, shape [...]; no interval where the band has none.

    Raises:
      UserError: as `learning_times`.

    >>> crossing([0, 10], mean_over_runs([[0.0, 0.9], [0.0, 1.1]]), 0.5).value
    array(5.)
    """

    def first(curve: NDArray) -> NDArray:
        flat = curve.reshape(len(curve), -1)
        return learning_times(steps, flat, level).reshape(curve.shape[1:])

    at = first(band.value)
    soonest = first(np.where(np.isnan(band.high), np.inf, band.high))
    latest = first(np.where(np.isnan(band.low), -np.inf, band.low))
    known = ~(np.isnan(band.low) | np.isnan(band.high)).all(axis=0)
    n = np.asarray(band.n)
    return Estimate(
        value=at,
        low=np.where(known, soonest, np.nan),
        high=np.where(known, latest, np.nan),
        n=n if not n.ndim else n.min(axis=0),
        unit=band.unit,
        method=f"crossings of the band: {band.method}",
        missing="" if known.all() else band.missing,
    )


def cutoff_frequency(
    frequencies: ArrayLike, magnitudes: ArrayLike, level: float = 0.5
) -> NDArray[np.float64]:
    """The highest frequency such that it and all below it have reached a level; 0 if none has.

    Args:
      frequencies: increasing, positive, shape [m], in cycles per unit.
      magnitudes: normalised, shape [..., m]; NaN counts as not reached.
      level: in the magnitudes' unit.

    Returns:
      float64, shape [...], in cycles per unit.

    Raises:
      UserError: frequencies that do not increase from above 0, or do not match the magnitudes.
    """
    k, values = np.asarray(frequencies, np.float64), np.asarray(magnitudes, np.float64)
    if k.ndim != 1 or values.shape[-1:] != k.shape or np.any(np.diff(k, prepend=0.0) <= 0):
        raise UserError(
            "frequencies",
            expected="increasing numbers above 0, one for each magnitude",
            got=f"{k.size} for magnitudes of shape {values.shape}",
            hint="put the frequencies on the last axis",
        )
    count = np.cumprod(values >= level, axis=-1).sum(axis=-1)
    return np.concatenate([[0.0], k])[count]


@dataclasses.dataclass(frozen=True)
class PowerLaw:
    """y = prefactor * x**exponent.

    Attributes:
      exponent: with its interval; no value where fewer than `POINTS_FOR_POWER_LAW` points are left.
      prefactor: in the unit of y; NaN without an exponent.
      num_points: that were used.
    """

    exponent: Estimate
    prefactor: float
    num_points: int

    @property
    def label(self) -> str:
        """What figures write beside the line, or why there is none."""
        if np.isnan(self.exponent.value):
            return self.exponent.missing
        return f"{self.prefactor:.3g} k^{float(self.exponent.value):.2f}"


# Two points are on a line whatever they are.
POINTS_FOR_POWER_LAW = 3


def fit_power_law(x: ArrayLike, y: ArrayLike) -> PowerLaw:
    """Least squares of log y on log x, with Student's interval of the slope.

    What varies: the points about the line (n - 2 degrees of freedom). For what varies between runs
    see `power_law_over_runs`.

    Args:
      x: positive, shape [m], e.g. frequencies in cycles per unit.
      y: shape [m]; entries that are not finite or not positive ("never", "at once") are left out,
        and `num_points` says how many were used.

    Returns:
      no exponent for fewer than 3 points, or where they share one x.

    Raises:
      UserError: the shapes do not match, or an x is not positive and finite.

    Source: ordinary least squares.

    >>> round(float(fit_power_law([1, 2, 4], [3, 12, 48]).exponent.value), 6)
    2.0
    """
    log_x, values = _checked_points(x, y)
    exponent, intercept, count = (row[0] for row in _lines(log_x, values[None]))
    used = np.isfinite(values) & (values > 0)
    different = np.unique(log_x[used]).size
    if count < POINTS_FOR_POWER_LAW or different < 2:
        few = not_enough(int(count), POINTS_FOR_POWER_LAW, "points")
        if count >= POINTS_FOR_POWER_LAW:
            few = not_enough(different, 2, "different x")
        return PowerLaw(few, float("nan"), int(count))
    left = np.log(values[used]) - intercept - exponent * log_x[used]
    error = np.sqrt((left**2).sum() / (count - 2) / (count * log_x[used].var()))
    margin = error * scipy.special.stdtrit(count - 2.0, UPPER)
    law = Estimate(
        value=np.asarray(exponent),
        low=np.asarray(exponent - margin),
        high=np.asarray(exponent + margin),
        n=int(count),
        unit="points",
        method="Student over points about the line",
    )
    return PowerLaw(law, float(np.exp(intercept)), int(count))


def power_law_over_runs(
    x: ArrayLike,
    read: Callable[[NDArray], ArrayLike],
    runs: ArrayLike,
    *,
    unit: str = "runs",
) -> PowerLaw:
    """A power law of what is read off the mean of runs, with the interval of its exponent.

    What varies: runs, by `jackknife`. Held fixed: the points, those at which the mean of all runs
    has a number (else the exponent would jump with the points); where leaving one run out leaves a
    point without, there is no interval.

    Args:
      x: positive, shape [m].
      read: runs [n, ...] -> y [m], such as the learning times of their mean curve.
      runs: shape [n, ...].
      unit: what they are.

    Raises:
      UserError: as `fit_power_law`.
    """
    v = np.asarray(runs, np.float64)
    y = np.asarray(read(v), np.float64)
    law = fit_power_law(x, y)
    if np.isnan(law.exponent.value):
        return law
    used = np.isfinite(y) & (y > 0)
    log_x = np.log(np.asarray(x, np.float64)[used])

    def exponent(some: NDArray) -> NDArray:
        left = np.asarray(read(some), np.float64)[used]
        whole = np.all(np.isfinite(left) & (left > 0))
        return _lines(log_x, left[None])[0][0] if whole else np.asarray(np.nan)

    return dataclasses.replace(law, exponent=jackknife(exponent, v, unit=unit))


def _checked_points(x: ArrayLike, y: ArrayLike) -> tuple[NDArray, NDArray]:
    log_x, values = np.asarray(x, np.float64), np.asarray(y, np.float64)
    positive = (log_x > 0) & np.isfinite(log_x)
    if log_x.ndim != 1 or values.shape != log_x.shape or not positive.all():
        raise UserError(
            "x",
            expected="positive numbers, one for each y",
            got=f"{np.count_nonzero(~positive)} others, shapes {log_x.shape} and {values.shape}",
            hint="pass frequencies and their learning times",
        )
    return np.log(log_x), values


def _lines(log_x: NDArray, rows: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Slope, intercept and number of points of each row [b, m]; not finite or <= 0 is left out."""
    used = np.isfinite(rows) & (rows > 0)
    log_y = np.log(np.where(used, rows, 1.0))
    count = used.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x = (used * log_x).sum(axis=1) / count
        mean_y = log_y.sum(axis=1) / count
        dx = np.where(used, log_x - mean_x[:, None], 0.0)
        slope = (dx * log_y).sum(axis=1) / (dx**2).sum(axis=1)
    slope = np.where(count >= 2, slope, np.nan)
    return slope, mean_y - slope * mean_x, count


@dataclasses.dataclass(frozen=True)
class LearningCurves:
    """Magnitudes over training, averaged over runs, and what follows from them.

    Attributes:
      steps: shape [s].
      frequencies: shape [m], cycles per unit.
      mean: over runs, [s, m].
      times: {level: [m]}: when the mean curve reaches the level, between the crossings of its band;
        `inf` is never.
      law: learning time against frequency at the first of the levels.
      num_runs: runs averaged.
    """

    steps: NDArray[np.int64]
    frequencies: NDArray[np.float64]
    mean: Estimate
    times: Mapping[float, Estimate]
    law: PowerLaw
    num_runs: int


def learning_curves(
    steps: ArrayLike,
    frequencies: ArrayLike,
    magnitudes: ArrayLike,
    levels: Sequence[float] = (0.5, 0.9),
    *,
    where: ArrayLike | None = None,
) -> LearningCurves:
    """Averages magnitudes over runs and reads the learning times off the mean curves.

    What varies: runs; of one that stopped the steps before may count, and the number of runs behind
    each step is that of the mean.

    Args:
      steps: increasing, shape [s].
      frequencies: positive, shape [m], in cycles per unit.
      magnitudes: normalised, finite where they count, shape [runs, s, m].
      levels: of the learning times; the power law is fitted at the first.
      where: which count, bool [runs, s, m]; default: all.

    Raises:
      UserError: magnitudes that count and are not finite, shapes that do not match, as
        `learning_times` and `fit_power_law`.

    Source: Rahaman et al. (2019), Fig 1: magnitudes first, then the mean over runs.
    """
    mean = mean_over_runs(magnitudes, where=where)
    values = np.asarray(magnitudes, dtype=np.float64)
    counts = np.ones(values.shape, bool) if where is None else np.asarray(where)

    def read(runs: NDArray) -> NDArray:
        """Of magnitudes and their weights, [n, 2, s, m]."""
        with np.errstate(invalid="ignore"):
            curve = (runs[:, 0] * runs[:, 1]).sum(axis=0) / runs[:, 1].sum(axis=0)
        return learning_times(steps, curve, levels[0])

    weighted = np.stack([np.where(counts, values, 0.0), counts], axis=1)

    return LearningCurves(
        steps=np.asarray(steps, dtype=np.int64),
        frequencies=np.asarray(frequencies, dtype=np.float64),
        mean=mean,
        times={float(level): crossing(steps, mean, level) for level in levels},
        law=power_law_over_runs(frequencies, read, weighted),
        num_runs=values.shape[0],
    )
