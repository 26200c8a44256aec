"""When each frequency is learned, and how that time grows with the frequency."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from spectral_tf.errors import UserError
from spectral_tf.spectra.bootstrap import Band, mean_interval, percentile_interval, resampled_means


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

    Source: the protocol of Rahaman et al. (2019), Fig 1, read as learning times.
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


def learned_up_to(
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
    """y = prefactor * x**exponent, with the exponent's 95 % interval and the points used."""

    exponent: float
    low: float
    high: float
    prefactor: float
    num_points: int


def fit_power_law(x: ArrayLike, y: ArrayLike, y_resamples: ArrayLike | None = None) -> PowerLaw:
    """Least squares of log y on log x.

    Args:
      x: positive, shape [m], e.g. frequencies in cycles per unit.
      y: shape [m], e.g. learning times in steps; entries that are not finite or not positive
        ("never", "at once") are left out, and `num_points` says how many were used.
      y_resamples: bootstrap resamples of y, shape [b, m]. With them the interval is the percentile
        interval of the exponents refitted to each resample (scatter between runs; a point that a
        resample never reaches is left out of its refit). Without them it is Student's interval of
        the slope (scatter of the points about the line, n - 2 degrees of freedom).

    Returns:
      The law; exponent, prefactor and interval are NaN where fewer than 2 (Student: 3) points are
      left.

    Raises:
      UserError: the shapes do not match, or an x is not positive.

    Source: ordinary least squares; Efron and Tibshirani (1993) for the resampled interval.
    """
    log_x = np.asarray(x, dtype=np.float64)
    values = np.asarray(y, dtype=np.float64)
    if log_x.ndim != 1 or values.shape != log_x.shape or np.any(log_x <= 0):
        raise UserError(
            "x",
            expected="positive numbers, one for each y",
            got=f"shapes {log_x.shape} and {values.shape}, smallest {np.min(log_x, initial=1):g}",
            hint="pass frequencies and their learning times",
        )
    log_x = np.log(log_x)
    exponent, intercept, count = (row[0] for row in _lines(log_x, values[None]))
    low = high = np.nan
    if y_resamples is not None:
        rows = np.asarray(y_resamples, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1:] != values.shape:
            raise UserError(
                "y_resamples",
                expected=f"shape [b, {values.size}]",
                got=f"shape {rows.shape}",
                hint="put the resamples on the first axis",
            )
        # The same points in every refit, else the exponent would jump with the points.
        rows = np.where(np.isfinite(values) & (values > 0), rows, np.nan)
        limits = percentile_interval(_lines(log_x, rows)[0])
        low, high = float(limits[0]), float(limits[1])
    elif count > 2:
        used = np.isfinite(values) & (values > 0)
        fit = scipy.stats.linregress(log_x[used], np.log(values[used]))
        margin = fit.stderr * scipy.stats.t.ppf(0.975, count - 2)
        low, high = exponent - margin, exponent + margin
    return PowerLaw(float(exponent), float(low), float(high), float(np.exp(intercept)), int(count))


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
      mean, low, high: mean over runs and its 95 % interval, shape [s, m].
      times: {level: (step, low, high)}, each [m]: when the mean curve reaches the level, with the
        interval of that over resampled runs; `inf` is never.
      law: learning time against frequency at the first of the levels.
      num_runs: runs averaged.
    """

    steps: NDArray[np.int64]
    frequencies: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    times: Mapping[float, Band]
    law: PowerLaw
    num_runs: int


def learning_curves(
    steps: ArrayLike,
    frequencies: ArrayLike,
    magnitudes: ArrayLike,
    levels: Sequence[float] = (0.5, 0.9),
    seed: int = 0,
) -> LearningCurves:
    """Averages magnitudes over runs and reads the learning times off the mean curves.

    Every interval comes from the same 1,000 resamples of whole runs, so that the steps and the
    frequencies of one run stay together.

    Args:
      steps: increasing, shape [s].
      frequencies: positive, shape [m], in cycles per unit.
      magnitudes: normalised, shape [runs, s, m]; NaN where a run has stopped.
      levels: of the learning times; the power law is fitted at the first.
      seed: of the resamples.

    Raises:
      UserError: shapes that do not match, as `learning_times` and `fit_power_law`.

    Source: Rahaman et al. (2019), Fig 1: magnitudes first, then the mean over runs.
    """
    values = np.asarray(magnitudes, dtype=np.float64)
    mean, low, high = mean_interval(values, seed=seed)
    resamples = resampled_means(values, seed=seed)
    times: dict[float, Band] = {}
    laws: list[PowerLaw] = []
    for level in levels:
        at = learning_times(steps, mean, level)
        of_resamples = learning_times(steps, resamples, level)
        ends = percentile_interval(of_resamples)
        times[float(level)] = (at, ends[0], ends[1])
        if not laws:
            laws.append(fit_power_law(frequencies, at, of_resamples))
    return LearningCurves(
        steps=np.asarray(steps, dtype=np.int64),
        frequencies=np.asarray(frequencies, dtype=np.float64),
        mean=mean,
        low=low,
        high=high,
        times=times,
        law=laws[0],
        num_runs=values.shape[0],
    )
